// SPDX-License-Identifier: Apache-2.0

// Command watch waits for one object and prints each change of its status, on stubs that protoc made from our proto.
//
//	watch 127.0.0.1:7443 demo deploy/web
//
// It ends with 0 once the object is Current, and with 1 when it is Failed.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pb "kstatus.example/watch/gen/kstatus/v1"
)

func watch(server, namespace, target string) (int, error) {
	resource, name, ok := strings.Cut(target, "/")
	if !ok {
		return 2, fmt.Errorf("%q is not RESOURCE/NAME", target)
	}
	conn, err := grpc.NewClient(server, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return 4, err
	}
	defer conn.Close()
	ref := &pb.ObjectRef{Resource: resource, Namespace: namespace, Name: name}
	stream, err := pb.NewStatusServiceClient(conn).Watch(context.Background(), &pb.WatchRequest{
		Targets: []*pb.Target{{TargetId: 1, Selection: &pb.Target_Object{Object: ref}}},
	})
	if err != nil {
		return 4, err
	}
	for {
		response, err := stream.Recv()
		if err != nil {
			return 4, err
		}
		for _, event := range response.Events {
			update := event.GetUpdate()
			if update == nil {
				continue
			}
			status := strings.TrimPrefix(update.Status.String(), "RECONCILE_STATUS_")
			fmt.Printf("%-12s %s/%s %s %s\n", status, update.Object.Kind, update.Object.Name, update.Reason, update.Message)
			switch update.Status {
			case pb.ReconcileStatus_RECONCILE_STATUS_CURRENT:
				return 0, nil
			case pb.ReconcileStatus_RECONCILE_STATUS_FAILED:
				return 1, nil
			}
		}
	}
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: watch SERVER NAMESPACE RESOURCE/NAME")
		os.Exit(2)
	}
	code, err := watch(os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}
