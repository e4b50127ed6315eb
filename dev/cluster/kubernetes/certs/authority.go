package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	lifetime = 10 * 365 * 24 * time.Hour
	// skew lets a certificate work on a clock that is a little behind.
	skew = time.Hour
)

type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func ensureAuthority(pki, file, name string) (*authority, error) {
	key, err := ensureKey(filepath.Join(pki, file+".key"))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(pki, file+".crt")
	if raw, err := os.ReadFile(path); err == nil {
		block, _ := pem.Decode(raw)
		if block == nil {
			return nil, fmt.Errorf("%s holds no certificate", path)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		return &authority{certificate, key}, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	// A root signs itself: the template is its own issuer.
	made := &authority{template, key}
	if err := made.sign(path, template, key); err != nil {
		return nil, err
	}
	return ensureAuthority(pki, file, name)
}

func (a *authority) ensureServing(pki, file, name string, names []string) error {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: servingUsage,
	}
	for _, entry := range names {
		if address := net.ParseIP(entry); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
		} else {
			template.DNSNames = append(template.DNSNames, entry)
		}
	}
	return a.ensureLeaf(pki, file, template)
}

func (a *authority) ensureClient(pki string, user identity) error {
	return a.ensureLeaf(pki, user.file, &x509.Certificate{
		Subject:     pkix.Name{CommonName: user.name, Organization: user.groups},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: clientUsage,
	})
}

func (a *authority) ensureLeaf(pki, file string, template *x509.Certificate) error {
	path := filepath.Join(pki, file+".crt")
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	key, err := ensureKey(filepath.Join(pki, file+".key"))
	if err != nil {
		return err
	}
	return a.sign(path, template, key)
}

func (a *authority) sign(path string, template *x509.Certificate, key *ecdsa.PrivateKey) error {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-skew)
	template.NotAfter = time.Now().Add(lifetime)
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		return err
	}
	return writePEM(path, "CERTIFICATE", der)
}

func ensureKey(path string) (*ecdsa.PrivateKey, error) {
	raw, err := os.ReadFile(path)
	if err == nil {
		block, _ := pem.Decode(raw)
		if block == nil {
			return nil, fmt.Errorf("%s holds no key", path)
		}
		return x509.ParseECPrivateKey(block.Bytes)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(path, "EC PRIVATE KEY", der)
}

// writePEM replaces the file in one step: a run that was killed in between
// must not leave half a key that the next run then refuses.
func writePEM(path, kind string, der []byte) error {
	temporary := path + ".new"
	encoded := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(temporary, encoded, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
