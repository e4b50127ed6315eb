// Package supervise is PID 1 of one machine of the development cluster: it
// owns that machine's process, mount and network namespaces, so its death
// takes every process, mount and interface of the machine with it.
package supervise

import (
	"encoding/json"
	"fmt"
	"os"
)

// Spec says what one machine mounts and runs.
type Spec struct {
	// Status is the file that always holds the latest Status.
	Status string `json:"status"`
	// Log takes the supervisor's own lines.
	Log string `json:"log"`
	// Tmpfs lists mount points that get an empty file system of their own.
	Tmpfs []string `json:"tmpfs"`
	// Binds shows a directory of this machine in the place of the host's.
	Binds      []Bind      `json:"binds"`
	Components []Component `json:"components"`
}

// Bind mounts Source over Target.
type Bind struct {
	Source string `json:"source"`
	Target string `json:"target"`
}

// Component is one long-running program.
type Component struct {
	Name string   `json:"name"`
	Argv []string `json:"argv"`
	// Env is added to the supervisor's environment.
	Env map[string]string `json:"env"`
	Log string            `json:"log"`
	// After names an address (unix:/path, tcp:host:port or https://...) that
	// must answer first: kubelet gives up for good when containerd is not there,
	// and the controller-manager when the API server has no roles yet.
	After string `json:"after"`
}

// Status is what the supervisor knows about its components.
type Status struct {
	// Phase is "waiting" for the network, "running" or "failed".
	Phase string `json:"phase"`
	// Error says why the phase is "failed".
	Error      string            `json:"error,omitempty"`
	Components []ComponentStatus `json:"components"`
}

// ComponentStatus is the last known state of one component.
type ComponentStatus struct {
	Name string `json:"name"`
	// PID counts inside the machine's own process namespace.
	PID     int    `json:"pid"`
	Running bool   `json:"running"`
	Exit    string `json:"exit,omitempty"`
}

func readSpec(path string) (*Spec, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	spec := &Spec{}
	if err := json.Unmarshal(raw, spec); err != nil {
		return nil, fmt.Errorf("parse %s: %w", path, err)
	}
	return spec, nil
}

// write replaces the status file in one step, so that a reader never sees half of it.
func (s *Status) write(path string) error {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, raw, 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
