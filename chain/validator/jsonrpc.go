package validator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	rpclocal "github.com/cometbft/cometbft/rpc/client/local"
	ethrpc "github.com/ethereum/go-ethereum/rpc"

	"cosmossdk.io/log/v2"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	"github.com/cosmos/cosmos-sdk/server"
	evmrpc "github.com/cosmos/evm/rpc"
	"github.com/cosmos/evm/rpc/backend"
	"github.com/cosmos/evm/rpc/stream"
	evmconfig "github.com/cosmos/evm/server/config"

	"github.com/mutirao/mutirao/chain/app"
	"github.com/mutirao/mutirao/chain/network"
)

// namespaces are the parts of Ethereum's JSON-RPC that are offered. There are no keys on the server, so nothing that
// signs for a caller is.
var namespaces = []string{evmrpc.EthNamespace, evmrpc.NetNamespace, evmrpc.Web3Namespace, evmrpc.TxPoolNamespace}

// shutdownTimeout bounds how long requests under way may finish when the server stops.
const shutdownTimeout = 500 * time.Millisecond

// jsonRPC serves Ethereum's JSON-RPC over HTTP.
type jsonRPC struct {
	http   *http.Server
	rpc    *ethrpc.Server
	stream *stream.RPCStream
	done   chan struct{}
}

// serveJSONRPC answers at address for the node behind local. The server of cosmos/evm is not used because it also
// opens a websocket port and reports a busy port to a log only.
func serveJSONRPC(address string, a *app.App, local *rpclocal.Local, logger log.Logger) (*jsonRPC, error) {
	c := client.Context{}.
		WithClient(local).WithCodec(a.Codec()).WithInterfaceRegistry(a.InterfaceRegistry()).WithTxConfig(a.TxConfig()).
		WithChainID(network.ChainID).WithKeyring(keyring.NewInMemory(a.Codec()))
	a.RegisterTxService(c)
	a.RegisterTendermintService(c)
	a.Mempool().SetClientCtx(c)

	ctx := server.NewDefaultContext()
	ctx.Logger = logger
	j := &jsonRPC{rpc: ethrpc.NewServer(), done: make(chan struct{})}
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
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("JSON-RPC %s: %w: %w", address, ErrAddressInUse, err)
	}
	j.http = &http.Server{
		Handler:           j.rpc,
		ReadHeaderTimeout: evmconfig.DefaultHTTPTimeout,
		ReadTimeout:       evmconfig.DefaultHTTPTimeout,
		WriteTimeout:      evmconfig.DefaultHTTPTimeout,
		IdleTimeout:       evmconfig.DefaultHTTPIdleTimeout,
	}
	go func() {
		defer close(j.done)
		if err := j.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("JSON-RPC stopped", "err", err)
		}
	}()
	return j, nil
}

func (j *jsonRPC) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err := j.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = j.http.Close()
	}
	<-j.done
	j.rpc.Stop()
	return errors.Join(err, j.stream.Close())
}
