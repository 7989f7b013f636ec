package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
)

// serveHTTP listens on PORT (7003 unless set) and on every port of HTTP_PORTS ("80,443").
// The answer names the pod, NAME and the port it came in on, in headers and in the body.
func serveHTTP() {
	ports := []string{valueOr(os.Getenv("PORT"), "7003")}
	for port := range strings.SplitSeq(os.Getenv("HTTP_PORTS"), ",") {
		port = strings.TrimSpace(port)
		if port != "" && port != ports[0] {
			ports = append(ports, port)
		}
	}
	pod, _ := os.Hostname()
	name := valueOr(os.Getenv("NAME"), pod)
	for _, port := range ports {
		listener, err := net.Listen("tcp", ":"+port)
		if err != nil {
			log.Fatal(err)
		}
		go func() { log.Fatal(http.Serve(listener, greeter(name, pod, port))) }()
	}
}

func greeter(name, pod, port string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Name", name)
		w.Header().Set("X-Pod", pod)
		w.Header().Set("X-Port", port)
		fmt.Fprintf(w, "hello from %s on %s: %s %s (port %s)\n", name, pod, r.Method, r.URL.Path, port)
	})
}

func valueOr(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
