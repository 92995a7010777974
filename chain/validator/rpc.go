package validator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	cmtlog "github.com/cometbft/cometbft/libs/log"
	cmtpubsub "github.com/cometbft/cometbft/libs/pubsub"
	"github.com/cometbft/cometbft/node"
	rpcserver "github.com/cometbft/cometbft/rpc/jsonrpc/server"
)

const (
	// rpcTimeout bounds reading a request and writing its answer.
	rpcTimeout = 30 * time.Second
	// shutdownTimeout bounds how long requests under way may finish when a server stops.
	shutdownTimeout = 500 * time.Millisecond
)

// httpServer is a server that can be stopped together with the connections that clients keep open: otherwise a client
// would go on asking a validator that has stopped.
type httpServer struct {
	server *http.Server
	done   chan struct{}
}

// serveHTTP answers at address until close.
func serveHTTP(purpose, address string, handler http.Handler, failed func(error)) (*httpServer, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %w", purpose, address, ErrAddressInUse, err)
	}
	s := &httpServer{
		server: &http.Server{Handler: localOnly(listener.Addr(), handler), ReadHeaderTimeout: rpcTimeout, ReadTimeout: rpcTimeout, WriteTimeout: rpcTimeout},
		done:   make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed(err)
		}
	}()
	return s, nil
}

func (s *httpServer) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.server.Close()
	}
	<-s.done
	return err
}

// cometHandler is CometBFT's RPC for a node, over HTTP and websocket.
func cometHandler(n *node.Node, logger cmtlog.Logger) (http.Handler, error) {
	env, err := n.ConfigureRPC()
	if err != nil {
		return nil, err
	}
	routes := env.GetRoutes()
	mux := http.NewServeMux()
	sockets := rpcserver.NewWebsocketManager(routes,
		rpcserver.OnDisconnect(func(remote string) {
			err := n.EventBus().UnsubscribeAll(context.Background(), remote)
			if err != nil && !errors.Is(err, cmtpubsub.ErrSubscriptionNotFound) {
				logger.Error("unsubscribe", "remote", remote, "err", err)
			}
		}),
		rpcserver.ReadLimit(maxBodyBytes))
	sockets.SetLogger(logger)
	mux.HandleFunc("/websocket", sockets.WebsocketHandler)
	rpcserver.RegisterRPCFuncs(mux, routes, logger)
	return rpcserver.RecoverAndLogHandler(http.MaxBytesHandler(mux, maxBodyBytes), logger), nil
}
