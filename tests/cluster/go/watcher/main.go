// SPDX-License-Identifier: Apache-2.0

// The Go watcher that users have today, beside ours on the same cluster: tests/cluster/go_watcher.py runs it.
//
//	watcher KUBECONFIG WORKERS NAMESPACE/NAME/KIND/GROUP...
//
// Watches these objects (the namespace and the group may be empty) and tells what it is told, as NDJSON: {"synced":true},
// or an update with the time in nanoseconds, the object, its status and message, the generation that they are for, the
// error where there is one, and how many of its generated objects have failed. Ends with its input.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/event"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
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

func parseID(text string) (object.ObjMetadata, error) {
	words := strings.Split(text, "/")
	if len(words) != 4 {
		return object.ObjMetadata{}, fmt.Errorf("%q is not NAMESPACE/NAME/KIND/GROUP", text)
	}
	return object.ObjMetadata{Namespace: words[0], Name: words[1],
		GroupKind: schema.GroupKind{Kind: words[2], Group: words[3]}}, nil
}

type update struct {
	At         int64  `json:"at,omitempty"`
	Synced     bool   `json:"synced,omitempty"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name,omitempty"`
	Kind       string `json:"kind,omitempty"`
	Group      string `json:"group,omitempty"`
	Status     string `json:"status,omitempty"`
	Message    string `json:"message,omitempty"`
	Error      string `json:"error,omitempty"`
	Generation int64  `json:"generation,omitempty"`
	Failed     int    `json:"failed,omitempty"`
}

func describe(told *event.ResourceStatus) update {
	made := update{At: time.Now().UnixNano(), Namespace: told.Identifier.Namespace, Name: told.Identifier.Name,
		Kind: told.Identifier.GroupKind.Kind, Group: told.Identifier.GroupKind.Group, Status: told.Status.String(),
		Message: told.Message}
	if told.Error != nil {
		made.Error = told.Error.Error()
	}
	if told.Resource != nil {
		made.Generation = told.Resource.GetGeneration()
	}
	for _, generated := range told.GeneratedResources {
		if generated.Status == status.FailedStatus {
			made.Failed++
		}
	}
	return made
}

func tell(events <-chan event.Event) error {
	out := bufio.NewWriter(os.Stdout)
	lines := json.NewEncoder(out)
	for e := range events {
		var made update
		switch e.Type {
		case event.ErrorEvent:
			return e.Error
		case event.SyncEvent:
			made = update{Synced: true}
		case event.ResourceUpdateEvent:
			made = describe(e.Resource)
		}
		if err := lines.Encode(made); err != nil {
			return err
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
	if len(args) < 3 {
		return fmt.Errorf("usage: watcher KUBECONFIG WORKERS NAMESPACE/NAME/KIND/GROUP...")
	}
	config, err := configure(args[0])
	if err != nil {
		return err
	}
	workers, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	w, err := newWatcher(config, workers)
	if err != nil {
		return err
	}
	var ids object.ObjMetadataSet
	for _, text := range args[2:] {
		id, err := parseID(text)
		if err != nil {
			return err
		}
		ids = append(ids, id)
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
