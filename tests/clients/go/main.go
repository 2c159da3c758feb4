// Calls a front from grpc-go: many calls on few connections, with the flow-control windows that are asked for.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (raw) Name() string { return "proto" }

func main() {
	address := flag.String("address", "", "")
	method := flag.String("method", "", "")
	calls := flag.Int("calls", 1000, "")
	size := flag.Int("size", 100, "")
	window := flag.Int("window", 0, "")
	flag.Parse()
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})),
	}
	if *window > 0 {
		options = append(options, grpc.WithInitialWindowSize(int32(*window)), grpc.WithInitialConnWindowSize(int32(*window)))
	}
	connection, err := grpc.NewClient(*address, options...)
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	const workers = 64
	var wg sync.WaitGroup
	for w := 0; w < workers; w++ {
		wg.Add(1)
		go func(w int) {
			defer wg.Done()
			for i := w; i < *calls; i += workers {
				request := make([]byte, *size)
				binary.BigEndian.PutUint32(request, uint32(i))
				var answer []byte
				if err := connection.Invoke(ctx, *method, &request, &answer); err != nil {
					fmt.Fprintln(os.Stderr, i, err)
					os.Exit(1)
				}
				if !bytes.HasSuffix(answer, request) {
					fmt.Fprintln(os.Stderr, i, "another call's answer")
					os.Exit(1)
				}
			}
		}(w)
	}
	wg.Wait()
	fmt.Println(*calls)
}
