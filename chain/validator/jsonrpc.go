package validator

import (
	"errors"
	"fmt"

	rpclocal "github.com/cometbft/cometbft/rpc/client/local"
	ethrpc "github.com/ethereum/go-ethereum/rpc"

	"cosmossdk.io/log/v2"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	"github.com/cosmos/cosmos-sdk/server"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	evmrpc "github.com/cosmos/evm/rpc"
	"github.com/cosmos/evm/rpc/backend"
	"github.com/cosmos/evm/rpc/stream"
	evmconfig "github.com/cosmos/evm/server/config"
	evmflags "github.com/cosmos/evm/server/flags"

	"github.com/mutirao/mutirao/chain/app"
	"github.com/mutirao/mutirao/chain/fill"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/prevrandao"
)

// namespaces are the parts of Ethereum's JSON-RPC that are offered. There are no keys on the server, so nothing that
// signs for a caller is.
var namespaces = []string{evmrpc.EthNamespace, evmrpc.NetNamespace, evmrpc.Web3Namespace, evmrpc.TxPoolNamespace}

// jsonRPC serves Ethereum's JSON-RPC over HTTP.
type jsonRPC struct {
	http   *httpServer
	rpc    *ethrpc.Server
	stream *stream.RPCStream
}

// serveJSONRPC answers at address for the node behind local. The server of cosmos/evm is not used because it also
// opens a websocket port and reports a busy port to a log only.
func serveJSONRPC(address string, a *app.App, local *rpclocal.Local, logger log.Logger) (*jsonRPC, error) {
	c := client.Context{}.
		WithClient(local).WithCodec(a.Codec()).WithInterfaceRegistry(a.InterfaceRegistry()).WithTxConfig(a.TxConfig()).
		WithChainID(network.ChainID).WithKeyring(keyring.NewInMemory(a.Codec())).WithAccountRetriever(authtypes.AccountRetriever{})
	a.RegisterTxService(c)
	a.RegisterTendermintService(c)
	a.Mempool().SetClientCtx(c)

	ctx := server.NewDefaultContext()
	ctx.Logger = logger
	// A call may take as much gas as a block: the default would refuse the larger models.
	ctx.Viper.Set(evmflags.JSONRPCGasCap, network.BlockGas)
	j := &jsonRPC{rpc: ethrpc.NewServer()}
	j.stream = stream.NewRPCStreams(local, logger, a.TxConfig().TxDecoder())
	a.RegisterPendingTxListener(j.stream.ListenPendingTx)
	b := backend.NewBackend(ctx, c, nil, a.Mempool(), backend.WithLogger(logger))
	j.rpc.SetBatchLimits(evmconfig.DefaultBatchRequestLimit, evmconfig.DefaultBatchResponseMaxSize)
	j.rpc.SetHTTPBodyLimit(evmconfig.DefaultHTTPBodyLimit)
	for _, service := range evmrpc.BuildRPCs(namespaces, ctx, c, j.stream, b) {
		if err := j.rpc.RegisterName(service.Namespace, service.Service); err != nil {
			return nil, fmt.Errorf("JSON-RPC namespace %s: %w", service.Namespace, err)
		}
	}
	for _, own := range []any{&fill.API{Backend: b}, &prevrandao.Blocks{Backend: b, Before: a.BeaconBefore}, &receipts{b, a}} { // they replace methods of the same name
		if err := j.rpc.RegisterName(evmrpc.EthNamespace, own); err != nil {
			return nil, fmt.Errorf("JSON-RPC namespace %s: %w", evmrpc.EthNamespace, err)
		}
	}
	var err error
	j.http, err = serveHTTP("JSON-RPC", address, j.rpc, func(err error) { logger.Error("JSON-RPC stopped", "err", err) })
	if err != nil {
		return nil, err
	}
	return j, nil
}

func (j *jsonRPC) close() error {
	err := j.http.close()
	j.rpc.Stop()
	return errors.Join(err, j.stream.Close())
}
