// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/event"
	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/statusreaders"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var podsFailed = regexp.MustCompile(`^(\d+) pods have failed$`)

// A cluster that holds the objects of one family. Only lists by namespace are ever asked for.
type cluster []*unstructured.Unstructured

func (c cluster) Get(context.Context, client.ObjectKey, *unstructured.Unstructured) error {
	return fmt.Errorf("a reader asks for one object")
}

func (c cluster) ListClusterScoped(context.Context, *unstructured.UnstructuredList, labels.Selector) error {
	return fmt.Errorf("a reader lists a kind without namespaces")
}

func (c cluster) Sync(context.Context) error { return nil }

func (c cluster) ListNamespaceScoped(_ context.Context, list *unstructured.UnstructuredList, namespace string,
	selector labels.Selector) error {
	for _, object := range c {
		if object.GroupVersionKind() == list.GroupVersionKind() && object.GetNamespace() == namespace &&
			selector.Matches(labels.Set(object.GetLabels())) {
			list.Items = append(list.Items, *object)
		}
	}
	return nil
}

func newMapper() meta.RESTMapper {
	apps := schema.GroupVersion{Group: "apps", Version: "v1"}
	core := schema.GroupVersion{Version: "v1"}
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{apps, core})
	for _, kind := range []string{"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"} {
		mapper.Add(apps.WithKind(kind), meta.RESTScopeNamespace)
	}
	mapper.Add(core.WithKind("Pod"), meta.RESTScopeNamespace)
	return mapper
}

// What status.Compute panics on, is an error, so that the rest of the family can be judged.
func compute(object *unstructured.Unstructured) (result *status.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			result, err = nil, fmt.Errorf("panic: %v", p)
		}
	}()
	return status.Compute(object)
}

// The readers as statusreaders.NewStatusReader puts them together, but for compute.
func newReader() *statusreaders.DelegatingStatusReader {
	mapper := newMapper()
	generic := statusreaders.NewGenericStatusReader(mapper, compute)
	replicaSet := statusreaders.NewReplicaSetStatusReader(mapper, generic)
	reader := &statusreaders.DelegatingStatusReader{}
	reader.StatusReaders = append(reader.StatusReaders,
		statusreaders.NewDeploymentResourceReader(mapper, replicaSet),
		statusreaders.NewStatefulSetResourceReader(mapper, generic), replicaSet, generic)
	return reader
}

func statusText(read *event.ResourceStatus) string {
	if read.Error != nil {
		return "error"
	}
	if failed := podsFailed.FindStringSubmatch(read.Message); failed != nil {
		return read.Status.String() + "/" + failed[1]
	}
	return read.Status.String()
}

func collect(read *event.ResourceStatus, found map[types.UID]string) {
	found[read.Resource.GetUID()] = statusText(read)
	for _, member := range read.GeneratedResources {
		collect(member, found)
	}
}

// The statuses of all objects of a line, in their order: "unreadable" for what is no JSON, "-" for what the reader of
// the first one does not find.
func appendFamily(out []byte, reader *statusreaders.DelegatingStatusReader, texts [][]byte) ([]byte, error) {
	var all cluster
	objects := make([]*unstructured.Unstructured, len(texts))
	for i, text := range texts {
		if object, err := decode(text); err == nil {
			objects[i] = object
			all = append(all, object)
		}
	}
	found := map[types.UID]string{}
	if objects[0] != nil {
		read, err := reader.ReadStatusForObject(context.Background(), all, objects[0])
		if err != nil {
			return nil, err
		}
		collect(read, found)
	}
	for i, object := range objects {
		text := "unreadable"
		if object != nil {
			text = found[object.GetUID()]
		}
		if text == "" {
			text = "-"
		}
		if i > 0 {
			out = append(out, '\t')
		}
		out = append(out, text...)
	}
	return append(out, '\n'), nil
}

func newFamilyJudge() judge {
	reader := newReader()
	return func(out, line []byte) ([]byte, error) {
		return appendFamily(out, reader, bytes.Split(line, []byte{'\x1e'}))
	}
}

// What the library does for a Pod's event: the object is decoded, and the reader of the family's head lists the members
// (here from memory, decoded before) and judges them all.
func benchFamily(line []byte) (int, error) {
	texts := bytes.Split(line, []byte{'\x1e'})
	events := [2][]byte{texts[len(texts)-1], texts[len(texts)-2]}
	var all cluster
	for _, text := range texts[:len(texts)-1] {
		object, err := decode(text)
		if err != nil {
			return 0, err
		}
		all = append(all, object)
	}
	reader := newReader()
	count := 0
	for start := cpuTime(); cpuTime()-start < benchSeconds*time.Second; count++ {
		object, err := decode(events[count%2])
		if err != nil {
			return 0, err
		}
		all[len(all)-1] = object
		read, err := reader.ReadStatusForObject(context.Background(), all, all[0])
		if err != nil {
			return 0, err
		}
		if members := len(read.GeneratedResources[0].GeneratedResources); members != len(all)-2 {
			return 0, fmt.Errorf("of %d Pods %d were judged", len(all)-2, members)
		}
	}
	return count, nil
}
