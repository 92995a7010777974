
2Recife2Manaus2Manaus2Recife2Belém2Manaus2Belém2Recife2Manaus2Belém