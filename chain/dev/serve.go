package dev

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	ethrpc "github.com/ethereum/go-ethereum/rpc"

	"cosmossdk.io/log/v2"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	"github.com/cosmos/cosmos-sdk/server"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/evm/rpc/backend"
	"github.com/cosmos/evm/rpc/namespaces/ethereum/debug"
	"github.com/cosmos/evm/rpc/namespaces/ethereum/eth"
	evmconfig "github.com/cosmos/evm/server/config"
	evmflags "github.com/cosmos/evm/server/flags"

	"github.com/mutirao/mutirao/chain/fill"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/prevrandao"
)

// ErrListen reports an address at which nobody can listen.
var ErrListen = errors.New("cannot listen")

const (
	readTimeout     = 30 * time.Second
	shutdownTimeout = 500 * time.Millisecond
)

// Server answers Ethereum's JSON-RPC for a chain: over HTTP and, at the same port, over websockets.
type Server struct {
	chain    *Chain
	http     *http.Server
	rpc      *ethrpc.Server
	listener net.Listener
	stop     chan struct{}
	every    chan time.Duration
	done     []chan struct{}
	methods  map[string]bool
}

// Serve begins to answer at host:port and to make blocks at the configured interval. Close it before the chain.
func Serve(c *Chain, address, version string) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w at %s: %w", ErrListen, address, err)
	}
	s := &Server{chain: c, rpc: ethrpc.NewServer(), listener: listener, stop: make(chan struct{}), every: make(chan time.Duration), methods: map[string]bool{}}
	if err := s.register(version); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s.http = &http.Server{Handler: s.handler(), ReadHeaderTimeout: readTimeout}
	s.run(func() { c.run(s.stop, s.every) })
	s.run(func() { _ = s.http.Serve(listener) }) // ends with ErrServerClosed
	return s, nil
}

// run starts a goroutine that Close waits for.
func (s *Server) run(f func()) {
	done := make(chan struct{})
	s.done = append(s.done, done)
	go func() {
		defer close(done)
		f()
	}()
}

// Address is where the server listens.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Methods lists the names that the server knows; a few exported helpers that it does not answer may be among them.
func (s *Server) Methods() []string { return slices.Sorted(maps.Keys(s.methods)) }

// Close stops answering and making blocks. Requests under way get a moment to finish.
func (s *Server) Close() error {
	close(s.stop)
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	s.rpc.Stop()
	for _, done := range s.done {
		<-done
	}
	return err
}

// register connects the namespaces. What stands later replaces what stands earlier under the same name.
func (s *Server) register(version string) error {
	c := s.chain
	node := comet{Chain: c}
	cc := client.Context{}.
		WithClient(node).WithCodec(c.app.Codec()).WithInterfaceRegistry(c.app.InterfaceRegistry()).WithTxConfig(c.app.TxConfig()).
		WithChainID(network.ChainID).WithKeyring(keyring.NewInMemory(c.app.Codec())).WithAccountRetriever(authtypes.AccountRetriever{})
	c.app.RegisterTxService(cc)
	ctx := server.NewDefaultContext()
	ctx.Logger = log.NewNopLogger()
	ctx.Viper.Set(evmflags.JSONRPCGasCap, network.BlockGas)
	ctx.Viper.Set(evmflags.EVMChainID, c.config.ChainID)
	b := backend.NewBackend(ctx, cc, node, nil)
	own := &ethAPI{chain: c, node: node, backend: b, version: version}
	control := &controlAPI{own, s.every}
	s.rpc.SetBatchLimits(evmconfig.DefaultBatchRequestLimit, evmconfig.DefaultBatchResponseMaxSize)
	s.rpc.SetHTTPBodyLimit(evmconfig.DefaultHTTPBodyLimit)
	for _, service := range []struct {
		namespace string
		methods   any
	}{
		{"eth", eth.NewPublicAPI(ctx.Logger, b)}, {"eth", &fill.API{Backend: b}}, {"eth", &prevrandao.Blocks{Backend: b, Before: node.before}}, {"eth", own}, {"eth", newFilters(own)}, {"personal", &personalAPI{own}},
		{"debug", debug.NewAPI(ctx, b, false)}, {"debug", &debugAPI{own}}, {"txpool", &txpoolAPI{own}}, {"net", &netAPI{c}}, {"web3", &web3API{version}},
		{"evm", &evmAPI{control}}, {"anvil", control}, {"hardhat", control}, {"mutirao", &mutiraoAPI{own}},
	} {
		if err := s.rpc.RegisterName(service.namespace, service.methods); err != nil {
			return fmt.Errorf("JSON-RPC namespace %s: %w", service.namespace, err)
		}
		kind := reflect.TypeOf(service.methods)
		for i := range kind.NumMethod() {
			name := kind.Method(i).Name
			s.methods[service.namespace+"_"+strings.ToLower(name[:1])+name[1:]] = true
		}
	}
	return nil
}

// handler lets any page of a browser ask: there is nothing here that is worth anything.
func (s *Server) handler() http.Handler {
	sockets := s.rpc.WebsocketHandler([]string{"*"})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			sockets.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Allow-Headers", "*")
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		s.rpc.ServeHTTP(w, r)
	})
}
