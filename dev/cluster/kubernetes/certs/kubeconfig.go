package certs

import (
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// kubeconfig writes one file per user, complete in itself: certificates are
// embedded, so that a file can be copied to where a test wants it.
type kubeconfig struct {
	server    string
	cluster   string
	pki       string
	directory string
}

func (k kubeconfig) write(user string) error {
	read := func(file string) ([]byte, error) { return os.ReadFile(filepath.Join(k.pki, file)) }
	ca, err := read("ca.crt")
	if err != nil {
		return err
	}
	certificate, err := read(user + ".crt")
	if err != nil {
		return err
	}
	key, err := read(user + ".key")
	if err != nil {
		return err
	}
	config := api.NewConfig()
	config.Clusters[k.cluster] = &api.Cluster{Server: k.server, CertificateAuthorityData: ca}
	config.AuthInfos[user] = &api.AuthInfo{ClientCertificateData: certificate, ClientKeyData: key}
	config.Contexts[k.cluster] = &api.Context{Cluster: k.cluster, AuthInfo: user}
	config.CurrentContext = k.cluster
	return clientcmd.WriteToFile(*config, filepath.Join(k.directory, user))
}
