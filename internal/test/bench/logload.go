package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/logqueue"
)

const (
	logRate     = 10_000.0 // requests a second, and lines a second
	logRateGoal = 0.99     // of logRate; a machine that makes fewer requests than that gets lines without requests
	logCalls    = 5000     // different requests; they are repeated
	logRoom     = 4 << 20  // the size of the queue, in bytes
	scrapeLimit = 10 * time.Second
)

// The metrics of the log's queue.
const (
	highestMetric = "step_posture_log_queue_highest_bytes"
	droppedMetric = "step_posture_log_lines_dropped_total"
)

// logged is what became of the lines of one load.
type logged struct {
	wanted  int // lines
	written int
	lost    int
	highest float64 // bytes that waited
	rate    float64 // lines a second
}

// logLoad drives the daemon as fast as its log is made for, and looks at the queue of the log.
func (b *bench) logLoad(ctx context.Context) error {
	in, err := b.folder.inventory(formatCSV, thousandDevices)
	if err != nil {
		return err
	}
	metrics, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	p, err := b.run(ctx, "connector with metrics", b.connector(map[string]string{
		"PROVIDER": "file", "FILE_TYPE": in.format, "FILE_PATH": in.path, "HEALTH_ADDRESS": metrics,
	}))
	if err != nil {
		return err
	}
	t := &target{process: p, devices: in.devices}
	of := "log at 10,000 requests a second into a file: "
	b.say("log: %s of %s requests a second", b.scale.logLoad, thousands(logRate))
	got, err := b.logRequests(ctx, t, metrics)
	if err != nil {
		return fmt.Errorf("log under load: %w", err)
	}
	b.rows = append(b.rows, reportOnly(of+"requests a second", thousands(int(got.rate))))
	b.rows = append(b.rows, got.rows(of)...)
	if got.rate >= logRate*logRateGoal {
		return nil
	}
	// This machine is too slow to run client and server at the rate that the queue is made for.
	of = "10,000 lines a second into a file, without requests: "
	if got, err = logLines(ctx, b.folder.file("lines.log"), b.scale.logLoad); err != nil {
		return fmt.Errorf("log without requests: %w", err)
	}
	b.rows = append(b.rows, reportOnly(of+"lines a second", thousands(int(got.rate))))
	b.rows = append(b.rows, got.rows(of)...)
	return nil
}

func (l logged) rows(of string) []row {
	return []row{
		reportOnly(of+"most that waited at once", fmt.Sprintf("%s, %.1f %% of the room", wholeBytes(l.highest), l.highest/logRoom*percent)),
		{
			what: of + "lines written", floor: none, ratio: none, goal: "one for each",
			measured: thousands(l.written) + " for " + thousands(l.wanted), result: verdict(l.written == l.wanted),
		},
		within(of+"lines lost", float64(l.lost), func(lost float64) string { return thousands(int(lost)) }, 0, "0"),
	}
}

// logRequests sends requests at logRate, ends the daemon, and counts the lines of its log.
func (b *bench) logRequests(ctx context.Context, t *target, metrics string) (logged, error) {
	k, err := b.keepAlive(ctx, t, pool)
	if err != nil {
		return logged{}, err
	}
	defer k.close()
	distinct, err := b.calls(ctx, t, logCalls, kind{})
	if err != nil {
		return logged{}, err
	}
	count := int(logRate * b.scale.logLoad.Seconds())
	all, err := k.openLoop(ctx, slices.Repeat(distinct, (count+logCalls-1)/logCalls)[:count], schedule(count, logRate))
	if err != nil {
		return logged{}, err
	}
	l := logged{wanted: count, rate: float64(count) / lastAnswer(all).Seconds()}
	if l.highest, err = metric(ctx, metrics, highestMetric); err != nil {
		return logged{}, err
	}
	lost, err := metric(ctx, metrics, droppedMetric)
	if err != nil {
		return logged{}, err
	}
	l.lost = int(lost)
	if err := b.end(t.process); err != nil {
		return logged{}, err
	}
	text, err := os.ReadFile(t.log)
	if err != nil {
		return logged{}, fmt.Errorf("read log: %w", err)
	}
	l.written = bytes.Count(text, []byte(" "+audit.KeyDecision+"=allow "))
	return l, nil
}

// lastAnswer is when the last answer of a constant rate came.
func lastAnswer(all []sent) time.Duration {
	var last time.Duration
	for _, one := range all {
		last = max(last, one.at+one.latency)
	}
	return last
}

// freeAddress is an address without a listener.
func freeAddress(ctx context.Context) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// metric reads a number from the metrics at an address.
func metric(ctx context.Context, address, name string) (float64, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: scrapeLimit}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("read metrics: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("read metrics: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxReport))
	if err != nil {
		return 0, fmt.Errorf("read metrics: %w", err)
	}
	value := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
	if value == nil {
		return 0, fmt.Errorf("the daemon has no metric %s", name)
	}
	number, err := strconv.ParseFloat(string(value[1]), 64)
	if err != nil {
		return 0, fmt.Errorf("read metric %s: %w", name, err)
	}
	return number, nil
}

// logLines writes the lines of requests at logRate through the queue into a file, as the daemon does.
func logLines(ctx context.Context, path string, length time.Duration) (logged, error) {
	file, err := os.Create(path)
	if err != nil {
		return logged{}, fmt.Errorf("make a log: %w", err)
	}
	defer file.Close()
	queue := logqueue.New(file)
	log := audit.NewLog(queue, false)
	times := schedule(int(logRate*length.Seconds()), logRate)
	began := time.Now()
	for i, at := range times {
		if err := pause(ctx, time.Until(began.Add(at))); err != nil {
			_ = queue.Close(stopLimit)
			return logged{}, err
		}
		log.Write(&audit.Event{
			Reference: audit.NewReference(), Allowed: true, Reason: "in the inventory", Identifier: device(i % thousandDevices).identifier(),
			Provider: "file", ProviderTime: time.Microsecond, Duration: time.Millisecond, Status: http.StatusOK, WebhookID: webhookID,
			Provisioner: "devices", RequestID: audit.NewReference(), Method: http.MethodPost, Path: attestPath, RemoteAddress: host + ":50000",
		})
	}
	l := logged{wanted: len(times), rate: float64(len(times)) / time.Since(began).Seconds(), highest: float64(queue.Highest())}
	if err := queue.Close(stopLimit); err != nil {
		return logged{}, err
	}
	l.lost = int(queue.Dropped()) //nolint:gosec // G115: no more than were written
	text, err := os.ReadFile(path)
	if err != nil {
		return logged{}, fmt.Errorf("read log: %w", err)
	}
	l.written = bytes.Count(text, []byte{'\n'})
	return l, nil
}
