package netpol

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	// settle gathers a burst of events into one load of the table.
	settle = 10 * time.Millisecond
	// ask is how often the enforcer asks whether it may list policies yet.
	ask = 100 * time.Millisecond
	// retry follows a load that nft refused.
	retry = time.Second
)

// Main runs the subcommand with the arguments after its name and returns the exit code.
func Main(args []string) int {
	flags := flag.NewFlagSet("netpol", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "file with the enforcer's credentials")
	node := flags.String("node", "", "name of the node whose pods are guarded")
	podRange := flags.String("pod-range", "", "addresses that the node gives to pods")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	if err := enforce(ctx, *kubeconfig, *node, *podRange); err != nil {
		fmt.Fprintf(os.Stderr, "netpol: %v\n", err)
		return 1
	}
	return 0
}

func enforce(ctx context.Context, kubeconfig, node, podRange string) error {
	prefix, err := netip.ParsePrefix(podRange)
	if err != nil {
		return fmt.Errorf("--pod-range: %w", err)
	}
	// Before the first list answers nobody is known, and so nobody gets through.
	empty := &Snapshot{Node: node, PodRange: prefix}
	if err := load(ctx, Render(empty)); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if err := untilAllowed(ctx, client); err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods()
	namespaces := factory.Core().V1().Namespaces()
	policies := factory.Networking().V1().NetworkPolicies()

	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default: // a load is already due
		}
	}
	for _, informer := range []cache.SharedIndexInformer{pods.Informer(), namespaces.Informer(), policies.Informer()} {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { notify() },
			UpdateFunc: func(any, any) { notify() },
			DeleteFunc: func(any) { notify() },
		}); err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())

	snapshot := func() (*Snapshot, error) {
		podList, err := pods.Lister().List(labels.Everything())
		if err != nil {
			return nil, err
		}
		namespaceList, err := namespaces.Lister().List(labels.Everything())
		if err != nil {
			return nil, err
		}
		policyList, err := policies.Lister().List(labels.Everything())
		if err != nil {
			return nil, err
		}
		return &Snapshot{Node: node, PodRange: prefix, Pods: podList, Namespaces: namespaceList, Policies: policyList}, nil
	}
	notify()
	return follow(ctx, changed, notify, snapshot)
}

// untilAllowed waits for the API server and for the enforcer's role in it. An
// informer that is refused backs off for many seconds, and so long no pod of a
// new cluster would get a packet through.
func untilAllowed(ctx context.Context, client kubernetes.Interface) error {
	for {
		options := metav1.ListOptions{Limit: 1}
		_, err := client.NetworkingV1().NetworkPolicies("").List(ctx, options)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(ask):
		}
	}
}

// follow loads the table after every change that changes the rules.
func follow(ctx context.Context, changed <-chan struct{}, notify func(), snapshot func() (*Snapshot, error)) error {
	loaded := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
		time.Sleep(settle)
		current, err := snapshot()
		if err != nil {
			return err
		}
		rules := Render(current)
		if rules == loaded {
			continue
		}
		if err := load(ctx, rules); err != nil {
			// The last good table stays in force; the next try may see a mended policy.
			fmt.Fprintf(os.Stderr, "netpol: %v\n", err)
			time.AfterFunc(retry, notify)
			continue
		}
		loaded = rules
		fmt.Fprintf(os.Stderr, "%s loaded %s\n", time.Now().UTC().Format(time.RFC3339Nano), summary(current))
	}
}

func load(ctx context.Context, rules string) error {
	command := exec.CommandContext(ctx, "nft", "-f", "-")
	command.Stdin = strings.NewReader(rules)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("nft refused the table: %w: %s", err, output)
	}
	return nil
}

func summary(s *Snapshot) string {
	return fmt.Sprintf("pods=%d namespaces=%d policies=%d", len(s.Pods), len(s.Namespaces), len(s.Policies))
}
