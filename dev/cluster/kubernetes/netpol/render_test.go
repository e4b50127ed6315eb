package netpol

import (
	"net/netip"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// world is what every case starts from. The pod under test is a/web.
func world() *Snapshot {
	pod := func(namespace, name, ip, node string, labels map[string]string, ports ...corev1.ContainerPort) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
			Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Ports: ports}}},
			Status:     corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip},
		}
	}
	namespace := func(name string, labels map[string]string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	}
	http := corev1.ContainerPort{Name: "http", ContainerPort: 8080}
	other := corev1.ContainerPort{Name: "http", ContainerPort: 9090}
	dns := corev1.ContainerPort{Name: "dns", ContainerPort: 53, Protocol: corev1.ProtocolUDP}
	finished := pod("a", "finished", "10.1.64.9", "node-0", map[string]string{"app": "web"})
	finished.Status.Phase = corev1.PodSucceeded
	host := pod("a", "host", "10.1.0.11", "node-0", map[string]string{"app": "web"})
	host.Spec.HostNetwork = true
	return &Snapshot{
		Node:     "node-0",
		PodRange: netip.MustParsePrefix("10.1.64.0/23"),
		Namespaces: []*corev1.Namespace{
			namespace("a", map[string]string{"team": "a"}),
			namespace("b", map[string]string{"team": "b"}),
		},
		Pods: []*corev1.Pod{
			pod("a", "web", "10.1.64.2", "node-0", map[string]string{"app": "web"}, http, dns),
			pod("a", "client", "10.1.64.3", "node-0", map[string]string{"app": "client"}),
			pod("b", "client", "10.1.66.2", "node-1", map[string]string{"app": "client"}),
			pod("b", "web", "10.1.66.3", "node-1", map[string]string{"app": "web"}, other),
			finished, host,
		},
	}
}

const webSelector = "podSelector: {matchLabels: {app: web}}"

// policies parses specs of policies in namespace a.
func policies(t *testing.T, specs ...string) []*networkingv1.NetworkPolicy {
	t.Helper()
	var found []*networkingv1.NetworkPolicy
	for index, text := range specs {
		policy := &networkingv1.NetworkPolicy{}
		if err := yaml.UnmarshalStrict([]byte(text), &policy.Spec); err != nil {
			t.Fatalf("spec %d: %v", index, err)
		}
		policy.Namespace, policy.Name = "a", strings.Repeat("p", index+1)
		found = append(found, policy)
	}
	return found
}

// open stands for "no policy selects the pod": there is no chain.
var open = []string{"open"}

func chain(rendered, name string) []string {
	_, rest, found := strings.Cut(rendered, "\tchain "+name+" {\n")
	if !found {
		return open
	}
	body, _, _ := strings.Cut(rest, "\t}\n")
	lines := []string{}
	for _, line := range strings.Split(body, "\n") {
		if allowed, found := strings.CutSuffix(strings.TrimSpace(line), "return"); found {
			lines = append(lines, strings.TrimSpace(allowed))
		}
	}
	return lines
}

func TestSemantics(t *testing.T) {
	closed := []string{}
	all := []string{""}
	cases := map[string]struct {
		specs           []string
		ingress, egress []string
	}{
		"no policy": {nil, open, open},
		"empty selector selects every pod of the namespace, and no rules let nothing in": {
			[]string{"podSelector: {}"}, closed, open,
		},
		"a selector that does not match": {[]string{"podSelector: {matchLabels: {app: db}}"}, open, open},
		"default deny both ways":         {[]string{"podSelector: {}\npolicyTypes: [Ingress, Egress]"}, closed, closed},
		"egress type alone leaves ingress open": {
			[]string{"podSelector: {}\npolicyTypes: [Egress]"}, open, closed,
		},
		"egress rules without types imply egress, and ingress always": {
			[]string{"podSelector: {}\negress: [{}]"}, closed, all,
		},
		"an empty rule allows everything": {[]string{"podSelector: {}\ningress: [{}]"}, all, open},
		"pod selector means pods of the policy's namespace": {
			[]string{webSelector + "\ningress: [{from: [{podSelector: {matchLabels: {app: client}}}]}]"},
			[]string{"ip saddr { 10.1.64.3 }"}, open,
		},
		"empty pod selector means all pods of the namespace, without finished and host pods": {
			[]string{webSelector + "\ningress: [{from: [{podSelector: {}}]}]"},
			[]string{"ip saddr { 10.1.64.2, 10.1.64.3 }"}, open,
		},
		"namespace selector means all pods there": {
			[]string{webSelector + "\ningress: [{from: [{namespaceSelector: {matchLabels: {team: b}}}]}]"},
			[]string{"ip saddr { 10.1.66.2, 10.1.66.3 }"}, open,
		},
		"both selectors in one peer must both match": {
			[]string{webSelector + "\ningress: [{from: [{namespaceSelector: {matchLabels: {team: b}}, podSelector: {matchLabels: {app: client}}}]}]"},
			[]string{"ip saddr { 10.1.66.2 }"}, open,
		},
		"two peers are alternatives": {
			[]string{webSelector + "\ningress: [{from: [{namespaceSelector: {matchLabels: {team: b}}}, {podSelector: {matchLabels: {app: client}}}]}]"},
			[]string{"ip saddr { 10.1.66.2, 10.1.66.3 }", "ip saddr { 10.1.64.3 }"}, open,
		},
		"peers that match no pod allow nothing": {
			[]string{webSelector + "\ningress: [{from: [{podSelector: {matchLabels: {app: nobody}}}]}]"}, closed, open,
		},
		"match expressions": {
			[]string{webSelector + "\ningress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}}]}]"},
			[]string{"ip saddr { 10.1.64.3 }"}, open,
		},
		"ports by number, range and protocol": {
			[]string{webSelector + "\ningress: [{ports: [{port: 80}, {port: 53, protocol: UDP}, {port: 1000, endPort: 2000}, {port: 9, protocol: SCTP}, {protocol: UDP}]}]"},
			[]string{"tcp dport 80", "udp dport 53", "tcp dport 1000-2000", "sctp dport 9", "meta l4proto udp"}, open,
		},
		"ingress by port name is the pod's own number": {
			[]string{webSelector + "\ningress: [{ports: [{port: http}, {port: dns, protocol: UDP}]}]"},
			[]string{"tcp dport 8080", "udp dport 53"}, open,
		},
		"a port name of another protocol, or of nobody, allows nothing": {
			[]string{webSelector + "\ningress: [{ports: [{port: dns}, {port: nothing}]}]"}, closed, open,
		},
		"egress by port name is each peer's number": {
			[]string{webSelector + "\npolicyTypes: [Egress]\negress: [{to: [{namespaceSelector: {}}], ports: [{port: http}]}]"},
			open, []string{"ip daddr 10.1.64.2 tcp dport 8080", "ip daddr 10.1.66.3 tcp dport 9090"},
		},
		"egress by port name to everywhere finds the pods that have it": {
			[]string{webSelector + "\npolicyTypes: [Egress]\negress: [{ports: [{port: http}]}]"},
			open, []string{"ip daddr 10.1.64.2 tcp dport 8080", "ip daddr 10.1.66.3 tcp dport 9090"},
		},
		"block with exceptions, ports and peers multiplied": {
			[]string{webSelector + "\npolicyTypes: [Egress]\negress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/24, 10.1.0.0/16]}}, {podSelector: {matchLabels: {app: client}}}], ports: [{port: 443}, {port: 80}]}]"},
			open, []string{
				"ip daddr 10.0.0.0/8 ip daddr != 10.1.0.0/24 ip daddr != 10.1.0.0/16 tcp dport 443",
				"ip daddr { 10.1.64.3 } tcp dport 443",
				"ip daddr 10.0.0.0/8 ip daddr != 10.1.0.0/24 ip daddr != 10.1.0.0/16 tcp dport 80",
				"ip daddr { 10.1.64.3 } tcp dport 80",
			},
		},
		"a block of IPv6 allows nothing here": {
			[]string{webSelector + "\ningress: [{from: [{ipBlock: {cidr: 'fd00::/8'}}]}]"}, closed, open,
		},
		"policies add up": {
			[]string{"podSelector: {}", webSelector + "\ningress: [{ports: [{port: 80}]}]", webSelector + "\ningress: [{ports: [{port: 81}]}]"},
			[]string{"tcp dport 80", "tcp dport 81"}, open,
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			snapshot := world()
			snapshot.Policies = policies(t, test.specs...)
			rendered := Render(snapshot)
			if got := chain(rendered, "pod_10_1_64_2_ingress"); !reflect.DeepEqual(got, test.ingress) {
				t.Errorf("ingress: got %q, want %q", got, test.ingress)
			}
			if got := chain(rendered, "pod_10_1_64_2_egress"); !reflect.DeepEqual(got, test.egress) {
				t.Errorf("egress: got %q, want %q", got, test.egress)
			}
			checkWithNft(t, rendered)
		})
	}
}

func TestPoliciesOfOtherNamespacesDoNotSelect(t *testing.T) {
	snapshot := world()
	snapshot.Policies = policies(t, "podSelector: {}")
	snapshot.Policies[0].Namespace = "b"
	if got := chain(Render(snapshot), "pod_10_1_64_2_ingress"); !reflect.DeepEqual(got, open) {
		t.Errorf("got %q", got)
	}
}

func TestOnlyThisNodesPodsHaveChains(t *testing.T) {
	snapshot := world()
	snapshot.Policies = policies(t, "podSelector: {}")
	snapshot.Policies[0].Namespace = "b"
	if rendered := Render(snapshot); strings.Contains(rendered, "chain pod_") {
		t.Errorf("a pod of another node has a chain:\n%s", rendered)
	}
}

func TestFrame(t *testing.T) {
	snapshot := world()
	snapshot.Policies = policies(t, "podSelector: {}\npolicyTypes: [Ingress, Egress]")
	rendered := Render(snapshot)
	for _, wanted := range []string{
		"elements = { 10.1.64.2, 10.1.64.3 }",
		"ip saddr 10.1.64.0/23 ip saddr != @local_pods counter drop",
		"ip daddr 10.1.64.0/23 ip daddr != @local_pods counter drop",
		"type filter hook forward", "type filter hook input",
	} {
		if !strings.Contains(rendered, wanted) {
			t.Errorf("missing %q in\n%s", wanted, rendered)
		}
	}
	for _, hook := range []string{"forward", "input"} {
		_, body, _ := strings.Cut(rendered, "\tchain "+hook+" {\n")
		lines := strings.Split(body, "\n")
		if strings.TrimSpace(lines[1]) != "ct state established,related accept" {
			t.Errorf("%s: established traffic is not first: %q", hook, lines[1])
		}
		if !strings.Contains(body, "ip saddr vmap @from_pod") {
			t.Errorf("%s: egress is not asked", hook)
		}
	}
}

// checkWithNft lets the real program parse the table where it is installed and allowed to.
func checkWithNft(t *testing.T, rendered string) {
	t.Helper()
	if exec.Command("nft", "list", "tables").Run() != nil {
		return
	}
	command := exec.Command("nft", "--check", "-f", "-")
	command.Stdin = strings.NewReader(rendered)
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("nft refuses the table: %v: %s\n%s", err, output, rendered)
	}
}
