// Package certs makes the keys, certificates and kubeconfigs of one cluster.
// What exists is kept, so that running it again only adds what is missing.
package certs

import (
	"crypto/x509"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// identity is one client certificate, and the kubeconfig that carries it.
type identity struct {
	file   string
	name   string
	groups []string
}

// The operator gets the names that its ServiceAccount has in a cluster, so
// that the same role bindings and admission rules apply to it outside of one.
var identities = []identity{
	{"admin", "pinfold-admin", []string{"system:masters"}},
	{"operator", "system:serviceaccount:pinfold-system:pinfold-operator", []string{
		"system:serviceaccounts", "system:serviceaccounts:pinfold-system", "system:authenticated",
	}},
	{"alice", "alice", []string{"pinfold-users"}},
	{"bob", "bob", []string{"pinfold-users"}},
	{"carol", "carol", []string{"pinfold-users"}},
	{"mallory", "mallory", []string{"pinfold-users"}},
	{"kube-controller-manager", "system:kube-controller-manager", nil},
	{"kube-scheduler", "system:kube-scheduler", nil},
	{"kube-proxy", "system:kube-proxy", nil},
	{"netpol", "pinfold-dev:netpol", nil},
}

// Main runs the subcommand with the arguments after its name and returns the exit code.
func Main(args []string) int {
	flags := flag.NewFlagSet("certs", flag.ContinueOnError)
	directory := flags.String("dir", "", "directory that gets pki/ and kubeconfig/")
	server := flags.String("server", "", "URL of the API server for the kubeconfigs")
	cluster := flags.String("cluster", "", "name of the cluster in the kubeconfigs")
	names := flags.String("names", "", "names and addresses of the API server, comma separated")
	nodes := flags.String("nodes", "", "NAME=ADDRESS of every node, comma separated")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if err := makeAll(*directory, *server, *cluster, split(*names), split(*nodes)); err != nil {
		fmt.Fprintf(os.Stderr, "certs: %v\n", err)
		return 1
	}
	return 0
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

func makeAll(directory, server, cluster string, names, nodes []string) error {
	pki, kubeconfigs := filepath.Join(directory, "pki"), filepath.Join(directory, "kubeconfig")
	for _, wanted := range []string{pki, kubeconfigs} {
		if err := os.MkdirAll(wanted, 0o700); err != nil {
			return err
		}
	}
	ca, err := ensureAuthority(pki, "ca", "pinfold-dev")
	if err != nil {
		return err
	}
	// Requests that the API server forwards are trusted through a root of
	// their own: a client certificate must never pass for a front proxy.
	frontProxy, err := ensureAuthority(pki, "front-proxy-ca", "pinfold-dev-front-proxy")
	if err != nil {
		return err
	}
	if _, err := ensureKey(filepath.Join(pki, "sa.key")); err != nil {
		return err
	}
	if err := ca.ensureServing(pki, "apiserver", "kube-apiserver", names); err != nil {
		return err
	}
	// What people's programs trust is a root of its own, too: it vouches for
	// nothing inside of the cluster.
	web, err := ensureAuthority(pki, "web-ca", "pinfold-dev-web")
	if err != nil {
		return err
	}
	webNames := []string{"localhost", "127.0.0.1", "pinfold-api.pinfold-system.svc"}
	kubeletClient := identity{name: "pinfold-dev:kube-apiserver", file: "apiserver-kubelet-client"}
	if err := ca.ensureClient(pki, kubeletClient); err != nil {
		return err
	}
	if err := frontProxy.ensureClient(pki, identity{name: "front-proxy-client", file: "front-proxy-client"}); err != nil {
		return err
	}
	config := kubeconfig{server: server, cluster: cluster, pki: pki, directory: kubeconfigs}
	all := identities
	for _, node := range nodes {
		name, address, found := strings.Cut(node, "=")
		if !found || net.ParseIP(address) == nil {
			return fmt.Errorf("--nodes wants NAME=ADDRESS, not %q", node)
		}
		if err := ca.ensureServing(pki, name+"-serving", name, []string{name, address}); err != nil {
			return err
		}
		all = append(all, identity{name, "system:node:" + name, []string{"system:nodes"}})
		webNames = append(webNames, address)
	}
	if err := web.ensureServing(pki, "pinfold-api", "pinfold-api", webNames); err != nil {
		return err
	}
	for _, user := range all {
		if err := ca.ensureClient(pki, user); err != nil {
			return err
		}
		if err := config.write(user.file); err != nil {
			return err
		}
	}
	return nil
}

var (
	clientUsage  = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	servingUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
)
