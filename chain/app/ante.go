package app

import (
	evmante "github.com/cosmos/evm/ante"
	cosmosante "github.com/cosmos/evm/ante/cosmos"
	evmdecorators "github.com/cosmos/evm/ante/evm"
	anteinterfaces "github.com/cosmos/evm/ante/interfaces"
	antetypes "github.com/cosmos/evm/ante/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"
	"github.com/cosmos/gogoproto/proto"

	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"
	errortypes "github.com/cosmos/cosmos-sdk/types/errors"
	authante "github.com/cosmos/cosmos-sdk/x/auth/ante"
)

var (
	ethereumExtension   = "/" + proto.MessageName(&evmtypes.ExtensionOptionsEthereumTx{})
	dynamicFeeExtension = "/" + proto.MessageName(&antetypes.ExtensionOptionDynamicFeeTx{})
)

// anteHandler routes a transaction to the checks of its kind: Ethereum transactions to cosmos/evm's single decorator,
// our own to the SDK's chain. The parameters of the fee market are read per transaction because they change with
// every block.
func (a *App) anteHandler(ctx sdk.Context, tx sdk.Tx, simulate bool) (sdk.Context, error) {
	if extended, ok := tx.(authante.HasExtensionOptionsTx); ok {
		if options := extended.GetExtensionOptions(); len(options) > 0 {
			switch url := options[0].GetTypeUrl(); url {
			case ethereumExtension:
				return a.ethereumAnte(ctx, tx)(ctx, tx, simulate)
			case dynamicFeeExtension:
				return a.nativeAnte(ctx)(ctx, tx, simulate)
			default:
				return ctx, errorsmod.Wrapf(errortypes.ErrUnknownExtensionOptions, "transaction with extension option %s", url)
			}
		}
	}
	return a.nativeAnte(ctx)(ctx, tx, simulate)
}

func (a *App) ethereumAnte(ctx sdk.Context, tx sdk.Tx) sdk.AnteHandler {
	evmParams := a.EVM.GetParams(ctx)
	feeParams := a.FeeMarket.GetParams(ctx)
	return sdk.ChainAnteDecorators(
		evmdecorators.NewEVMMonoDecorator(a.Account, a.FeeMarket, a.senderRules(tx), 0, &evmParams, &feeParams),
		evmante.NewTxListenerDecorator(a.onPendingTx),
	)
}

// senderRules is the EVM as the checks of a sender see it: on a network the EVM itself.
func (a *App) senderRules(tx sdk.Tx) anteinterfaces.EVMKeeper {
	if a.solo == nil || !a.actsFor(tx) {
		return a.EVM
	}
	return anybody{a.EVM}
}

// nativeAnte checks transactions of SDK messages. Fees follow the same EIP-1559 market as Ethereum transactions, so
// that spam of one kind makes both dearer.
func (a *App) nativeAnte(ctx sdk.Context) sdk.AnteHandler {
	feeParams := a.FeeMarket.GetParams(ctx)
	return sdk.ChainAnteDecorators(
		cosmosante.NewRejectMessagesDecorator(),
		authante.NewSetUpContextDecorator(),
		authante.NewExtensionOptionsDecorator(antetypes.HasDynamicFeeExtensionOption),
		authante.NewValidateBasicDecorator(),
		authante.NewTxTimeoutHeightDecorator(),
		authante.NewValidateMemoDecorator(a.Account),
		cosmosante.NewMinGasPriceDecorator(&feeParams),
		authante.NewConsumeGasForTxSizeDecorator(a.Account),
		newcomers{a},
		a.deductFee,
		authante.NewSetPubKeyDecorator(a.Account),
		authante.NewValidateSigCountDecorator(a.Account),
		authante.NewSigGasConsumeDecorator(a.Account, evmante.SigVerificationGasConsumer),
		authante.NewSigVerificationDecorator(a.Account, a.txConfig.SignModeHandler()),
		authante.NewIncrementSequenceDecorator(a.Account),
	)
}

// newDeductFee makes the decorator that takes fees. It is made once, with the app: making it sets a global of the SDK
// that Ethereum transactions need too, even when they come first.
func (a *App) newDeductFee() authante.DeductFeeDecorator {
	return authante.NewDeductFeeDecorator(a.Account, a.feeBank, a.FeeGrant, func(ctx sdk.Context, tx sdk.Tx) (sdk.Coins, int64, error) {
		feeParams := a.FeeMarket.GetParams(ctx)
		return evmdecorators.NewDynamicFeeChecker(&feeParams)(ctx, tx)
	})
}

// poolAnte is anteHandler for the mempool's own goroutines, in which a panic would end the process.
func (a *App) poolAnte(ctx sdk.Context, tx sdk.Tx, simulate bool) (out sdk.Context, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = ctx, errorsmod.Wrapf(errortypes.ErrPanic, "checking a transaction: %v", p)
		}
	}()
	return a.anteHandler(ctx, tx, simulate)
}
