//go:build tools

// Package tools names the program that tests/cluster/build makes, so that
// go.mod and go.sum hold what it needs.
package tools

import _ "sigs.k8s.io/kwok/cmd/kwok"
