package supervise

import (
	"fmt"
	"os"
	"syscall"
)

// mountAll gives the machine its own view of a few directories. The mount
// namespace is private to this process tree: nothing reaches the host, and
// within it mounts are shared, as kubelet and containerd expect of a root.
func mountAll(spec *Spec) error {
	for _, target := range spec.Tmpfs {
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount("tmpfs", target, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=755"); err != nil {
			return fmt.Errorf("mount tmpfs on %s: %w", target, err)
		}
	}
	for _, bind := range spec.Binds {
		for _, directory := range []string{bind.Source, bind.Target} {
			if err := os.MkdirAll(directory, 0o755); err != nil {
				return err
			}
		}
		if err := syscall.Mount(bind.Source, bind.Target, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
			return fmt.Errorf("mount %s on %s: %w", bind.Source, bind.Target, err)
		}
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("share mounts below /: %w", err)
	}
	return nil
}
