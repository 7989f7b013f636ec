package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// runClient dials host:port once and returns the exit code: 0 when the exchange ended as
// asked, 1 when it did not, 2 for a wrong command line.
func runClient(args []string) int {
	flags := flag.NewFlagSet("client", flag.ContinueOnError)
	send := flags.String("send", "", "text to send")
	udp := flags.Bool("udp", false, "send one datagram and print the first answer")
	path := flags.String("http", "", "GET this path and print status and body")
	half := flags.Bool("half-close", false, "end the sending side, then read to the end")
	expect := flags.Int("bytes", 0, "stop after this many bytes (0: read to the end)")
	timeout := flags.Duration("timeout", 5*time.Second, "for the whole exchange")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: testapp client [flags] HOST:PORT")
		return 2
	}
	address := flags.Arg(0)
	var err error
	switch {
	case *path != "":
		err = get("http://"+address+*path, *timeout)
	case *udp:
		err = exchange("udp", address, *send, false, 1, *timeout)
	default:
		err = exchange("tcp", address, *send, *half, *expect, *timeout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testapp client:", err)
		return 1
	}
	return 0
}

func get(url string, timeout time.Duration) error {
	client := http.Client{Timeout: timeout}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	fmt.Println(response.Status)
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}

// exchange prints what comes back until the far side ends or `expect` bytes have come.
func exchange(network, address, send string, half bool, expect int, timeout time.Duration) error {
	connection, err := net.DialTimeout(network, address, timeout)
	if err != nil {
		return err
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(timeout))
	if _, err := io.WriteString(connection, send); err != nil {
		return err
	}
	if tcp, ok := connection.(*net.TCPConn); ok && half {
		if err := tcp.CloseWrite(); err != nil {
			return err
		}
	}
	buffer := make([]byte, 1<<16)
	for total := 0; ; {
		n, err := connection.Read(buffer)
		os.Stdout.Write(buffer[:n])
		total += n
		if err == io.EOF || err == nil && expect > 0 && total >= expect {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
