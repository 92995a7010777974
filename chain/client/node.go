package client

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	cmttypes "github.com/cometbft/cometbft/types"
)

// Node is what the endpoint that answers says of itself.
type Node struct {
	ID         string    `json:"node"`
	Moniker    string    `json:"moniker"`
	Chain      string    `json:"chain"`
	Height     int64     `json:"height"`
	Hash       string    `json:"hash"` // of the block at Height
	Time       time.Time `json:"time"`
	AppHash    string    `json:"app_hash"`
	CatchingUp bool      `json:"catching_up"`
	Peers      []string  `json:"peers"` // id@host:port of those that it is connected to
	Address    string    `json:"-"`     // its own, as a peer dials it
}

// Node asks an endpoint about itself and its peers.
func (c *Client) Node(ctx context.Context) (Node, error) {
	var n Node
	err := c.endpoints.do(ctx, func(rpc *rpchttp.HTTP) error {
		s, err := rpc.Status(ctx)
		if err != nil {
			return err
		}
		info, err := rpc.NetInfo(ctx)
		if err != nil {
			return err
		}
		n = Node{
			ID: string(s.NodeInfo.DefaultNodeID), Moniker: s.NodeInfo.Moniker, Chain: s.NodeInfo.Network, Height: s.SyncInfo.LatestBlockHeight,
			Hash: s.SyncInfo.LatestBlockHash.String(), Time: s.SyncInfo.LatestBlockTime, AppHash: s.SyncInfo.LatestAppHash.String(),
			CatchingUp: s.SyncInfo.CatchingUp, Peers: []string{},
		}
		n.Address = dialed(n.ID, s.NodeInfo.ListenAddr, hostOf(rpc.Remote()))
		for _, p := range info.Peers {
			n.Peers = append(n.Peers, dialed(string(p.NodeInfo.DefaultNodeID), p.NodeInfo.ListenAddr, p.RemoteIP))
		}
		return nil
	})
	return n, err
}

// dialed is how a node is dialled that listens at an address which may be of any of its interfaces.
func dialed(id, listen, seen string) string {
	_, address, found := strings.Cut(listen, "://")
	if !found {
		address = listen
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = seen
	}
	return id + "@" + net.JoinHostPort(host, port)
}

func hostOf(remote string) string {
	u, err := url.Parse(remote)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// maxGenesis bounds the genesis that a stranger's endpoint sends.
const maxGenesis = 1 << 30

// Genesis fetches the network's first state.
func (c *Client) Genesis(ctx context.Context) (*cmttypes.GenesisDoc, error) {
	var raw bytes.Buffer
	for chunk, total := 0, 1; chunk < total; chunk++ {
		err := c.endpoints.do(ctx, func(rpc *rpchttp.HTTP) error {
			r, err := rpc.GenesisChunked(ctx, uint(chunk))
			if err != nil {
				return err
			}
			total = r.TotalChunks
			part, err := decode64(r.Data)
			if err == nil && raw.Len()+len(part) > maxGenesis {
				err = fmt.Errorf("%w: genesis of more than %d bytes", errEmptyAnswer, maxGenesis)
			}
			raw.Write(part)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return cmttypes.GenesisDocFromJSON(raw.Bytes())
}
