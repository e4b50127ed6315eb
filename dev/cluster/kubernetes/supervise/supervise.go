package supervise

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// stopGrace is how long components get between SIGTERM and SIGKILL.
	stopGrace = 5 * time.Second
)

// Main runs the supervisor with the arguments after its name and returns the exit code.
func Main(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "usage: pinfold-kube supervise SPEC.json")
		return 2
	}
	if err := run(args[0]); err != nil {
		fmt.Fprintf(os.Stderr, "supervise: %v\n", err)
		return 1
	}
	return 0
}

type supervisor struct {
	spec *Spec
	log  *os.File

	// guard covers status, and spans fork and bookkeeping of a start: a child
	// that dies at once must not be reaped before its process id is known.
	guard    sync.Mutex
	status   Status
	stopping bool
}

func run(specPath string) error {
	spec, err := readSpec(specPath)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(spec.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	s := &supervisor{spec: spec, log: log, status: Status{Phase: "waiting"}}
	if err := mountAll(spec); err != nil {
		return s.fail(err)
	}
	if err := s.publish(); err != nil {
		return err
	}
	if err := s.waitForGo(); err != nil {
		return s.fail(err)
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	go s.startAll()
	for received := range signals {
		if received != syscall.SIGCHLD {
			s.printf("stopping on %v", received)
			s.stop()
			return nil
		}
		s.reap()
	}
	return nil
}

// waitForGo tells the starter that the namespaces exist and waits for its
// word that the network is in place. A starter that dies closes the pipe, and
// the machine goes away with it instead of staying half made.
func (s *supervisor) waitForGo() error {
	if _, err := fmt.Println("ready"); err != nil {
		return err
	}
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(line) != "go" {
		return errors.New("the starter went away before the network was in place")
	}
	return nil
}

func (s *supervisor) startAll() {
	s.guard.Lock()
	s.status.Phase = "running"
	s.guard.Unlock()
	var group sync.WaitGroup
	for _, component := range s.spec.Components {
		group.Add(1)
		go func() {
			defer group.Done()
			if err := waitFor(component.After); err != nil {
				s.record(ComponentStatus{Name: component.Name, Exit: err.Error()})
				return
			}
			s.start(component)
		}()
	}
	group.Wait()
}

func (s *supervisor) start(component Component) {
	log, err := os.OpenFile(component.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		s.record(ComponentStatus{Name: component.Name, Exit: err.Error()})
		return
	}
	defer log.Close()
	env := os.Environ()
	for key, value := range component.Env {
		env = append(env, key+"="+value)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		s.record(ComponentStatus{Name: component.Name, Exit: err.Error()})
		return
	}
	defer null.Close()
	s.guard.Lock()
	defer s.guard.Unlock()
	if s.stopping {
		return
	}
	process, err := os.StartProcess(component.Argv[0], component.Argv, &os.ProcAttr{
		Env:   env,
		Files: []*os.File{null, log, log},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		s.set(ComponentStatus{Name: component.Name, Exit: err.Error()})
		return
	}
	s.set(ComponentStatus{Name: component.Name, PID: process.Pid, Running: true})
	// The loop in reap owns every wait; the handle would only compete with it.
	_ = process.Release()
}

// reap collects every dead child: components, and the shims and containers
// that lost their parent and were given to PID 1.
func (s *supervisor) reap() {
	s.guard.Lock()
	defer s.guard.Unlock()
	for {
		var state syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &state, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		for _, known := range s.status.Components {
			if known.Running && known.PID == pid {
				s.set(ComponentStatus{Name: known.Name, PID: pid, Exit: describe(state)})
			}
		}
	}
}

func (s *supervisor) stop() {
	s.guard.Lock()
	s.stopping = true
	for _, component := range s.status.Components {
		if component.Running {
			_ = syscall.Kill(component.PID, syscall.SIGTERM)
		}
	}
	s.guard.Unlock()
	for deadline := time.Now().Add(stopGrace); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		s.reap()
		if !s.anyRunning() {
			return
		}
	}
}

func (s *supervisor) anyRunning() bool {
	s.guard.Lock()
	defer s.guard.Unlock()
	for _, component := range s.status.Components {
		if component.Running {
			return true
		}
	}
	return false
}

func (s *supervisor) record(update ComponentStatus) {
	s.guard.Lock()
	defer s.guard.Unlock()
	s.set(update)
}

// set stores one component's state; the caller holds the guard.
func (s *supervisor) set(update ComponentStatus) {
	if update.Running {
		s.printf("%s started as %d", update.Name, update.PID)
	} else {
		s.printf("%s is down: %s", update.Name, update.Exit)
	}
	replaced := false
	for index := range s.status.Components {
		if s.status.Components[index].Name == update.Name {
			s.status.Components[index] = update
			replaced = true
		}
	}
	if !replaced {
		s.status.Components = append(s.status.Components, update)
	}
	if err := s.status.write(s.spec.Status); err != nil {
		s.printf("cannot write %s: %v", s.spec.Status, err)
	}
}

func (s *supervisor) publish() error {
	s.guard.Lock()
	defer s.guard.Unlock()
	return s.status.write(s.spec.Status)
}

func (s *supervisor) fail(cause error) error {
	s.printf("%v", cause)
	s.guard.Lock()
	defer s.guard.Unlock()
	s.status.Phase, s.status.Error = "failed", cause.Error()
	return errors.Join(cause, s.status.write(s.spec.Status))
}

func (s *supervisor) printf(format string, args ...any) {
	fmt.Fprintf(s.log, "%s "+format+"\n", append([]any{time.Now().UTC().Format(time.RFC3339Nano)}, args...)...)
}

func describe(state syscall.WaitStatus) string {
	if state.Signaled() {
		return fmt.Sprintf("killed by %v", state.Signal())
	}
	return fmt.Sprintf("exit code %d", state.ExitStatus())
}
