// SPDX-License-Identifier: Apache-2.0

// What the reference makes of objects: one verdict a line, for scripts/verdicts.
//
//	reference FILE           FILE has "MILLISECONDS OBJECT" a line: Unix time, then JSON
//	reference --families FILE   the same, with several objects in the place of one: see families.go
//	reference --bench FILE   FILE is one object; prints objects per second of CPU time
//	reference --bench-family FILE   FILE is a family of tests/bench/family.py; prints events of its last Pod per second
//
// A line of output is "STATUS", then for each condition its type, status, reason and message, separated by tabs and
// percent-encoded; or "error" and why. What the library panics on is an error, too.
//
// status.Now is not the library's: scripts/verdicts puts it in place of time.Now (see README.md), so that the verdict
// is computed at the line's own time.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
)

const (
	maxLine      = 16 << 20
	benchSeconds = 2
)

// The same call that client-go's dynamic client ends in for an object of a list or a watch.
func decode(text []byte) (*unstructured.Unstructured, error) {
	object := map[string]any{}
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, err
	}
	return &unstructured.Unstructured{Object: object}, nil
}

func verdict(text []byte) (result *status.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			result, err = nil, fmt.Errorf("panic: %v", p)
		}
	}()
	object, err := decode(text)
	if err != nil {
		return nil, err
	}
	return status.Compute(object)
}

// Everything but RFC 3986's unreserved characters is encoded: tabs and line ends cannot occur.
func appendEncoded(out []byte, text string) []byte {
	const digits = "0123456789ABCDEF"
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
			out = append(out, c)
		default:
			out = append(out, '%', digits[c>>4], digits[c&15])
		}
	}
	return out
}

func appendVerdict(out []byte, result *status.Result, err error) []byte {
	if err != nil {
		out = append(out, "error\t"...)
		return append(appendEncoded(out, err.Error()), '\n')
	}
	out = appendEncoded(out, result.Status.String())
	for _, c := range result.Conditions {
		for _, field := range []string{string(c.Type), string(c.Status), c.Reason, c.Message} {
			out = append(out, '\t')
			out = appendEncoded(out, field)
		}
	}
	return append(out, '\n')
}

// Appends the line of output for what follows the time in a line of input.
type judge func(out, text []byte) ([]byte, error)

func judgeObject(out, text []byte) ([]byte, error) {
	result, err := verdict(text)
	return appendVerdict(out, result, err), nil
}

func judgeLines(path string, judge judge) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxLine)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	var line []byte
	for lines.Scan() {
		clock, text, _ := bytes.Cut(lines.Bytes(), []byte(" "))
		millis, err := strconv.ParseInt(string(clock), 10, 64)
		if err != nil {
			return err
		}
		now := time.UnixMilli(millis)
		status.Now = func() time.Time { return now }
		if line, err = judge(line[:0], text); err != nil {
			return err
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return out.Flush()
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func benchObject(text []byte) (int, error) {
	count := 0
	for start := cpuTime(); cpuTime()-start < benchSeconds*time.Second; count += 256 {
		for range 256 {
			if _, err := verdict(text); err != nil {
				return 0, err
			}
		}
	}
	return count, nil
}

// The CPU time is the process's, so that what the garbage collector does beside is counted.
func bench(path string, work func(text []byte) (int, error)) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(1)
	start := cpuTime()
	count, err := work(text)
	if err != nil {
		return err
	}
	fmt.Printf("%.0f\n", float64(count)/(cpuTime()-start).Seconds())
	return nil
}

func run(args []string) error {
	switch {
	case len(args) == 1:
		return judgeLines(args[0], judgeObject)
	case len(args) == 2 && args[0] == "--families":
		return judgeLines(args[1], newFamilyJudge())
	case len(args) == 2 && args[0] == "--bench":
		return bench(args[1], benchObject)
	case len(args) == 2 && args[0] == "--bench-family":
		return bench(args[1], benchFamily)
	}
	return errors.New("usage: reference [--families | --bench | --bench-family] FILE")
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}
