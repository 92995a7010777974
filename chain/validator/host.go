package validator

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// localOnly refuses what a page of a browser could send to a server that listens on loopback only: requests under a name that somebody has
// made point here (DNS rebinding), and websockets that a page of another place opens, which browsers do not ask for permission.
// A server that listens elsewhere was told to, and takes all. Source: go-ethereum's rule for virtual hosts.
func localOnly(listener net.Addr, next http.Handler) http.Handler {
	if tcp, ok := listener.(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ofThisMachine(r.Host) {
			http.Error(w, "this server listens on loopback: call it by an address or as localhost", http.StatusForbidden)
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			if u, err := url.Parse(origin); err != nil || u.Scheme == "" || strings.HasPrefix(u.Scheme, "http") && !ofThisMachine(u.Host) {
				http.Error(w, "this server listens on loopback: pages of other places may not open websockets", http.StatusForbidden)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// ofThisMachine reports whether the host of a request is an address, or localhost: whoever names it so has not been misled by a name server.
func ofThisMachine(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	return name == "" || strings.EqualFold(name, "localhost") || net.ParseIP(strings.Trim(name, "[]")) != nil
}
