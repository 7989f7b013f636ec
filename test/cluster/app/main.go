// testapp is what runs in the pods of the test cluster. Its first argument picks the mode:
//
//	pause   does nothing until it is told to end (the sandbox image)
//	serve   every port of the table in servers.go, and http
//	http    the http ports only, so that two containers of one pod do not meet
//	client  dials an address, sends, prints what comes back (client.go)
package main

import (
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// Taken before anything listens: as process 1 of a container a signal without a handler is ignored.
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)

	mode := "pause"
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	switch mode {
	case "pause":
	case "serve":
		serveTable()
		serveHTTP()
	case "http":
		serveHTTP()
	case "client":
		go func() { os.Exit(runClient(os.Args[2:])) }()
	default:
		fmt.Fprintf(os.Stderr, "testapp: unknown mode %q\n", mode)
		os.Exit(2)
	}
	received := <-ended
	log.Printf("ending on %v", received)
}
