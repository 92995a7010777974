package validator

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A page that a browser shows cannot reach a node that listens on loopback under a name of its own, nor open a websocket there.
func TestLocalOnly(t *testing.T) {
	served := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	for _, c := range []struct {
		listens, host, origin, upgrade string
		want                           int
	}{
		{"127.0.0.1", "127.0.0.1:8545", "", "", 200},
		{"127.0.0.1", "localhost:8545", "", "", 200},
		{"127.0.0.1", "[::1]:8545", "", "", 200},
		{"127.0.0.1", "", "", "", 200},
		{"127.0.0.1", "evil.example:8545", "", "", 403},
		{"127.0.0.1", "127.0.0.1.evil.example", "", "", 403},
		{"::1", "evil.example", "", "", 403},
		{"0.0.0.0", "rpc.example", "", "", 200},
		{"10.0.0.1", "rpc.example", "https://page.example", "websocket", 200},
		{"127.0.0.1", "127.0.0.1:1", "https://evil.example", "websocket", 403},
		{"127.0.0.1", "127.0.0.1:1", "https://evil.example", "", 200}, // the browser keeps the answer from the page
		{"127.0.0.1", "127.0.0.1:1", "http://localhost:3000", "websocket", 200},
		{"127.0.0.1", "127.0.0.1:1", "chrome-extension://wallet", "websocket", 200},
		{"127.0.0.1", "127.0.0.1:1", "null", "websocket", 403}, // a page in a frame without an origin
		{"127.0.0.1", "127.0.0.1:1", "http://%zz", "websocket", 403},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Host = c.host
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if c.upgrade != "" {
			r.Header.Set("Upgrade", c.upgrade)
		}
		w := httptest.NewRecorder()
		localOnly(&net.TCPAddr{IP: net.ParseIP(c.listens)}, served).ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%+v: %d", c, w.Code)
		}
	}
}
