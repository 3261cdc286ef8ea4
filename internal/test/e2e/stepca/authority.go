package stepca

import (
	"crypto/ecdsa"
	"fmt"
	"path/filepath"

	"go.step.sm/crypto/pemutil"
)

// IssuerPath is the file of the intermediate, which issues every certificate.
func (ca *CA) IssuerPath() string {
	return filepath.Join(ca.config.Dir, "certs", "intermediate_ca.crt")
}

// Authority returns the certificate and the key of the root or of the intermediate, for certificates that no provisioner
// would issue.
func (ca *CA) Authority(root bool) (certificate []byte, key *ecdsa.PrivateKey, err error) {
	path, name := ca.IssuerPath(), "intermediate_ca_key"
	if root {
		path, name = ca.RootPath(), "root_ca_key"
	}
	read, err := pemutil.ReadCertificate(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the CA's certificate: %w", err)
	}
	opened, err := pemutil.Read(filepath.Join(ca.config.Dir, "secrets", name), pemutil.WithPassword([]byte(password)))
	if err != nil {
		return nil, nil, fmt.Errorf("read the CA's key: %w", err)
	}
	key, ok := opened.(*ecdsa.PrivateKey)
	if !ok {
		return nil, nil, fmt.Errorf("the CA's key is a %T", opened)
	}
	return read.Raw, key, nil
}
