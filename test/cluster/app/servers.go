package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"time"
)

// serveTable opens the ports that each behave in one way. Nobody listens on 7999.
func serveTable() {
	listenTCP(7000, echo)
	listenTCP(7001, func(c net.Conn) { io.Copy(io.Discard, c) })
	listenTCP(7002, source)
	listenTCP(7004, halfClose)
	listenTCP(7005, func(c net.Conn) { time.Sleep(time.Hour) })
	listenTCP(7006, closeEarly)
	listenTCP(7007, answerSlowly)
	echoUDP(7000)
}

func echo(c net.Conn) { io.Copy(c, c) }

// source sends zeros for as long as somebody takes them.
func source(c net.Conn) {
	block := make([]byte, 1<<16)
	for {
		if _, err := c.Write(block); err != nil {
			return
		}
	}
}

// halfClose answers only after the client has ended its side.
func halfClose(c net.Conn) {
	n, _ := io.Copy(io.Discard, c)
	fmt.Fprintf(c, "read %d bytes then EOF\n", n)
}

func closeEarly(c net.Conn) {
	c.Read(make([]byte, 1))
	c.Write([]byte("bye"))
}

// answerSlowly sends 160 bytes over 3.2 seconds after the first byte it gets.
func answerSlowly(c net.Conn) {
	c.Read(make([]byte, 1))
	for range 16 {
		time.Sleep(200 * time.Millisecond)
		if _, err := c.Write([]byte("0123456789")); err != nil {
			log.Printf("slow: %v", err)
			return
		}
	}
}

func listenTCP(port int, serve func(net.Conn)) {
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				log.Fatal(err)
			}
			go func() {
				defer connection.Close()
				serve(connection)
			}()
		}
	}()
}

func echoUDP(port int) {
	socket, err := net.ListenPacket("udp", fmt.Sprintf(":%d", port))
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		datagram := make([]byte, 1<<16)
		for {
			n, from, err := socket.ReadFrom(datagram)
			if err != nil {
				log.Fatal(err)
			}
			socket.WriteTo(datagram[:n], from)
		}
	}()
}
