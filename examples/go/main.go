package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"quotad.example/quotadv1"
)

func main() {
	conn, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	quotad := quotadv1.NewQuotaServiceClient(conn)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	request := &quotadv1.CheckAndConsumeRequest{CustomerId: "acme", FeatureId: "api-calls", IdempotencyKey: "job-1"}
	decision, err := quotad.CheckAndConsume(ctx, request)
	if err != nil {
		log.Fatal(err) // UNAVAILABLE and DEADLINE_EXCEEDED: repeat it under the same key
	}
	fmt.Println(decision.Allowed, decision.Reason, decision.GetLimit(), decision.Used)
}
