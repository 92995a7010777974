package dev

import (
	"crypto/ecdsa"
	"fmt"

	"github.com/cosmos/go-bip39"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/cosmos/evm/crypto/hd"

	"github.com/mutirao/mutirao/protocol"
)

// DefaultChainID is anvil's and Hardhat's.
const DefaultChainID = 31337

// Mnemonic is what everybody's test accounts come from. Whoever reads this has their keys: they hold no money of value.
const Mnemonic = "test test test test test test test test test test test junk"

// Path is the derivation path of the accounts, without the index.
const Path = "m/44'/60'/0'/0/"

// Account is one of the funded accounts, with its key.
type Account struct {
	Address protocol.Account
	Key     *ecdsa.PrivateKey
}

// Secret is the key in hexadecimal, as tools take it.
func (a Account) Secret() string { return fmt.Sprintf("0x%x", crypto.FromECDSA(a.Key)) }

// Accounts derives the first n accounts of the mnemonic.
func Accounts(n int) ([]Account, error) { return deriveAccounts(n) }

func deriveAccounts(n int) ([]Account, error) {
	if !bip39.IsMnemonicValid(Mnemonic) {
		return nil, fmt.Errorf("mnemonic %q is not valid", Mnemonic)
	}
	derive := hd.EthSecp256k1.Derive()
	list := make([]Account, n)
	for i := range list {
		raw, err := derive(Mnemonic, "", fmt.Sprintf("%s%d", Path, i))
		if err != nil {
			return nil, err
		}
		key, err := crypto.ToECDSA(raw)
		if err != nil {
			return nil, err
		}
		list[i] = Account{protocol.Account(crypto.PubkeyToAddress(key.PublicKey)), key}
	}
	return list, nil
}
