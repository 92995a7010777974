module github.com/mutirao/mutirao/engine/kernel/_asm

go 1.26
