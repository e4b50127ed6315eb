package netpol

import (
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// direction is seen from the selected pod.
type direction int

const (
	ingress direction = iota
	egress
)

// rule is one entry of a policy's ingress or egress list. Both directions
// have the same shape; only the names of the peer field differ.
type rule struct {
	// namespace is the policy's own: a peer without a namespace selector means pods there.
	namespace string
	peers     []networkingv1.NetworkPolicyPeer
	ports     []networkingv1.NetworkPolicyPort
}

// rulesFor collects what the policies allow a pod in one direction. The
// second answer is false when no policy selects the pod: then all may pass.
// Policies only ever add: the order of rules has no meaning.
func rulesFor(pod endpoint, policies []*networkingv1.NetworkPolicy, side direction) ([]rule, bool) {
	var rules []rule
	selected := false
	for _, policy := range policies {
		if policy.Namespace != pod.pod.Namespace || !applies(policy, side) {
			continue
		}
		if !matches(&policy.Spec.PodSelector, pod.pod.Labels) {
			continue
		}
		selected = true
		switch side {
		case ingress:
			for _, entry := range policy.Spec.Ingress {
				rules = append(rules, rule{policy.Namespace, entry.From, entry.Ports})
			}
		case egress:
			for _, entry := range policy.Spec.Egress {
				rules = append(rules, rule{policy.Namespace, entry.To, entry.Ports})
			}
		}
	}
	return rules, selected
}

// applies follows the API's default: ingress always, egress when it has rules.
func applies(policy *networkingv1.NetworkPolicy, side direction) bool {
	if len(policy.Spec.PolicyTypes) == 0 {
		return side == ingress || len(policy.Spec.Egress) > 0
	}
	wanted := networkingv1.PolicyTypeIngress
	if side == egress {
		wanted = networkingv1.PolicyTypeEgress
	}
	for _, kind := range policy.Spec.PolicyTypes {
		if kind == wanted {
			return true
		}
	}
	return false
}

// peersOf lists the pods that a peer with selectors means. Both selectors
// together mean pods that match one inside namespaces that match the other.
func peersOf(peer networkingv1.NetworkPolicyPeer, policyNamespace string, all []endpoint, namespaces map[string]map[string]string) []endpoint {
	var found []endpoint
	for _, candidate := range all {
		if peer.NamespaceSelector == nil {
			if candidate.pod.Namespace != policyNamespace {
				continue
			}
		} else {
			namespaceLabels, known := namespaces[candidate.pod.Namespace]
			if !known || !matches(peer.NamespaceSelector, namespaceLabels) {
				continue
			}
		}
		if peer.PodSelector != nil && !matches(peer.PodSelector, candidate.pod.Labels) {
			continue
		}
		found = append(found, candidate)
	}
	return found
}

// matches treats a selector that does not parse as matching nothing; the API
// server refuses such a selector, so that this only guards against surprises.
func matches(selector *metav1.LabelSelector, set map[string]string) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(labels.Set(set))
}
