module github.com/mutirao/mutirao/verify/merkle/many/_asm

go 1.26
