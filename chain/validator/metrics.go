package validator

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"cosmossdk.io/log/v2"
)

// instrumentation makes CometBFT count if somebody can ask; the answer comes from our server.
func (c Config) instrumentation(from *cmtcfg.InstrumentationConfig) *cmtcfg.InstrumentationConfig {
	i := *from
	i.Prometheus = c.Metrics != ""
	return &i
}

// stallAfter is how old the last block of a node may be that calls itself ready.
const stallAfter = 30 * time.Second

// Health is what a node says of itself.
type Health struct {
	Schema     string `json:"schema"` // "mutirao.health/v1"
	Ready      bool   `json:"ready"`
	Reason     string `json:"reason"` // "ok", "no-block", "catching-up", "stalled", "upgrade-needed", "upgrade-early" or "key-elsewhere"
	Height     int64  `json:"height"`
	AgeSeconds int64  `json:"age_seconds"` // of the last block
	Peers      int    `json:"peers"`
	Upgrade    string `json:"upgrade,omitempty"`          // name of the one that the program lacks
	Elsewhere  int64  `json:"signed_elsewhere,omitempty"` // block with a signature of this node's key that it did not make
}

// Health tells whether the node follows the chain, and why not.
func (n *Node) Health() Health {
	h := Health{Schema: "mutirao.health/v1", Reason: "ok", Height: n.Height(), Peers: n.comet.Switch().Peers().Size()}
	last := n.comet.BlockStore().LoadBlockMeta(n.comet.BlockStore().Height())
	if last != nil {
		h.AgeSeconds = max(0, int64(time.Since(last.Header.Time)/time.Second))
	}
	h.Upgrade, h.Elsewhere = n.app.UpgradeNeeded(), n.guard.elsewhere.Load()
	switch {
	case h.Elsewhere > 0:
		h.Reason = "key-elsewhere"
	case h.Upgrade != "":
		h.Reason = "upgrade-needed"
	case n.early() != nil:
		h.Reason = "upgrade-early"
	case last == nil || h.Height == 0:
		h.Reason = "no-block"
	case n.comet.ConsensusReactor().WaitSync():
		h.Reason = "catching-up"
	case time.Duration(h.AgeSeconds)*time.Second > stallAfter:
		h.Reason = "stalled"
	}
	h.Ready = h.Reason == "ok"
	return h
}

// serveMetrics answers /metrics in Prometheus' text form; /healthz, which says that the process lives; and /readyz, which says whether it
// follows the chain.
func (n *Node) serveMetrics(logger log.Logger) (*httpServer, error) {
	mux := http.NewServeMux()
	comet := promhttp.HandlerFor(prometheus.DefaultGatherer, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, DisableCompression: true})
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Accept") // text, to which ours can be added
		comet.ServeHTTP(w, r)
		n.writeMetrics(w)
	})
	answer := func(w http.ResponseWriter, code int, h Health) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		json.NewEncoder(w).Encode(h)
	}
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, n.Health()) })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		h, code := n.Health(), http.StatusOK
		if !h.Ready {
			code = http.StatusServiceUnavailable
		}
		answer(w, code, h)
	})
	return serveHTTP("metrics", n.config.Metrics, mux, func(err error) { logger.Error("metrics stopped", "err", err) })
}

// writeMetrics adds what the ledger tells beside CometBFT's own counters. They are written as text because the chain has no floating
// point. Before the first block there is nothing to tell of the state.
func (n *Node) writeMetrics(w io.Writer) {
	gauge := func(name, help string) { fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name) }
	h := n.Health()
	ready := 0
	if h.Ready {
		ready = 1
	}
	gauge("mutirao_height", "Last committed block.")
	fmt.Fprintf(w, "mutirao_height %d\n", h.Height)
	gauge("mutirao_ready", "1 if the node follows the chain.")
	fmt.Fprintf(w, "mutirao_ready %d\n", ready)
	if b, err := n.app.BeaconStatus(); err == nil && !b.Value.IsZero() {
		counter := func(name, help string) { fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s counter\n", name, help, name) }
		counter("mutirao_beacon_blocks_total", "Blocks since the start of this process by whether their proposer revealed.")
		fmt.Fprintf(w, "mutirao_beacon_blocks_total{reveal=\"yes\"} %d\nmutirao_beacon_blocks_total{reveal=\"no\"} %d\n", b.Counted, b.Missed)
		counter("mutirao_beacon_rejected_total", "Proposed blocks that this node voted against because their reveal was missing or wrong.")
		fmt.Fprintf(w, "mutirao_beacon_rejected_total %d\n", b.Rejected)
	}
	census, err := n.app.Census()
	if err != nil {
		return
	}
	gauge("mutirao_runs", "Training runs by whether they go on.")
	fmt.Fprintf(w, "mutirao_runs{state=\"open\"} %d\nmutirao_runs{state=\"ended\"} %d\n", census.Open, census.Runs-census.Open)
	gauge("mutirao_rounds", "Rounds that the runs that go on have closed.")
	fmt.Fprintf(w, "mutirao_rounds %d\n", census.Rounds)
	gauge("mutirao_disputes_open", "Disputes that are being played.")
	fmt.Fprintf(w, "mutirao_disputes_open %d\n", census.Disputes)
	gauge("mutirao_escrow_amut", "Coins that a module holds.")
	for _, e := range census.Escrows {
		fmt.Fprintf(w, "mutirao_escrow_amut{module=%q} %s\n", e.Module, e.Amount)
	}
}
