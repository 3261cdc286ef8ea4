package stepca

import (
	"os"
	"path/filepath"
)

// systemPath is where the programs of a shell are.
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Operator is the environment of a shell in which the step client uses and administers this running CA without further
// flags, as after step ca bootstrap.
func (ca *CA) Operator() []string {
	path := filepath.Dir(ca.config.Step) + string(os.PathListSeparator) + systemPath
	return append(ca.environment(), "PATH="+path, "STEP_CA_URL="+ca.URL(),
		"STEP_ADMIN_SUBJECT=step", "STEP_ADMIN_PROVISIONER="+admin, "STEP_ADMIN_PASSWORD_FILE="+ca.passwordPath())
}
