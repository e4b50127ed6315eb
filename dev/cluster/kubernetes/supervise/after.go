package supervise

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// afterDeadline bounds the wait for what a component starts after.
const afterDeadline = 60 * time.Second

// waitFor waits for an address: unix:/path and tcp:host:port must accept a
// connection, https://host/path must answer 200.
func waitFor(address string) error {
	if address == "" {
		return nil
	}
	var last error
	for deadline := time.Now().Add(afterDeadline); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if last = ask(address); last == nil {
			return nil
		}
	}
	return fmt.Errorf("%s did not answer in %s: %w", address, afterDeadline, last)
}

func ask(address string) error {
	if strings.HasPrefix(address, "https:") {
		return askHTTPS(address)
	}
	network, target, _ := strings.Cut(address, ":")
	connection, err := net.DialTimeout(network, target, time.Second)
	if err != nil {
		return err
	}
	return connection.Close()
}

// readiness asks only whether the server answers; nothing secret is sent, and
// who answers is checked by the component that starts next.
var readiness = &http.Client{
	Timeout:   5 * time.Second,
	Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
}

func askHTTPS(address string) error {
	response, err := readiness.Get(address)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", response.Status)
	}
	return nil
}
