// SPDX-License-Identifier: Apache-2.0

// The Go watcher that users have today, for tests/cluster/roll: watches Deployments and tells what it is told.
//
//	watcher KUBECONFIG NAMESPACE WORKERS NAME...
//
// A line of output is "synced", or the Unix time in nanoseconds, a Deployment's name, its status, and the generation
// that the status is for; ended by the end of the input.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/event"
	"github.com/fluxcd/cli-utils/pkg/kstatus/watcher"
	"github.com/fluxcd/cli-utils/pkg/object"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
)

// The rate limiter of client-go would only slow it down.
func configure(path string) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	config.UserAgent = "go-watcher"
	return config, nil
}

func newWatcher(config *rest.Config, workers int) (*watcher.DefaultStatusWatcher, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	served, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	made := watcher.NewDefaultStatusWatcher(client, restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(served)))
	made.StatusComputeWorkers = workers
	return made, nil
}

func tell(events <-chan event.Event) error {
	out := bufio.NewWriter(os.Stdout)
	for e := range events {
		switch e.Type {
		case event.ErrorEvent:
			return e.Error
		case event.SyncEvent:
			fmt.Fprintln(out, "synced")
		case event.ResourceUpdateEvent:
			generation := int64(0)
			if e.Resource.Resource != nil {
				generation = e.Resource.Resource.GetGeneration()
			}
			fmt.Fprintln(out, time.Now().UnixNano(), e.Resource.Identifier.Name, e.Resource.Status, generation)
		}
		if len(events) == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}

func run(args []string) error {
	if len(args) < 4 {
		return fmt.Errorf("usage: watcher KUBECONFIG NAMESPACE WORKERS NAME...")
	}
	config, err := configure(args[0])
	if err != nil {
		return err
	}
	workers, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	w, err := newWatcher(config, workers)
	if err != nil {
		return err
	}
	var ids object.ObjMetadataSet
	for _, name := range args[3:] {
		ids = append(ids, object.ObjMetadata{Namespace: args[1], Name: name,
			GroupKind: schema.GroupKind{Group: "apps", Kind: "Deployment"}})
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return tell(w.Watch(ctx, ids, watcher.Options{RESTScopeStrategy: watcher.RESTScopeNamespace}))
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "watcher:", err)
		os.Exit(1)
	}
}
