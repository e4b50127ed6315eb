package netpol

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// portMatch is the port condition of one rule: an nftables expression, or a
// name that means another number on every pod it is looked up on.
type portMatch struct {
	expression string
	name       string
	protocol   corev1.Protocol
}

// portMatches answers one empty condition when a rule names no ports: all traffic.
func portMatches(ports []networkingv1.NetworkPolicyPort) []portMatch {
	if len(ports) == 0 {
		return []portMatch{{}}
	}
	found := make([]portMatch, 0, len(ports))
	for _, port := range ports {
		protocol := corev1.ProtocolTCP
		if port.Protocol != nil {
			protocol = *port.Protocol
		}
		keyword := strings.ToLower(string(protocol))
		switch {
		case port.Port == nil:
			found = append(found, portMatch{expression: "meta l4proto " + keyword})
		case port.Port.Type == intstr.String:
			found = append(found, portMatch{name: port.Port.StrVal, protocol: protocol})
		case port.EndPort != nil:
			found = append(found, portMatch{expression: fmt.Sprintf("%s dport %d-%d", keyword, port.Port.IntVal, *port.EndPort)})
		default:
			found = append(found, portMatch{expression: fmt.Sprintf("%s dport %d", keyword, port.Port.IntVal)})
		}
	}
	return found
}

// on turns the condition into an expression for traffic to one pod; false
// when that pod has no port of the name.
func (m portMatch) on(pod *corev1.Pod) (string, bool) {
	if m.name == "" {
		return m.expression, true
	}
	for _, container := range pod.Spec.Containers {
		if expression, found := m.in(container); found {
			return expression, true
		}
	}
	for _, container := range pod.Spec.InitContainers {
		if container.RestartPolicy == nil || *container.RestartPolicy != corev1.ContainerRestartPolicyAlways {
			continue
		}
		if expression, found := m.in(container); found {
			return expression, true
		}
	}
	return "", false
}

func (m portMatch) in(container corev1.Container) (string, bool) {
	for _, port := range container.Ports {
		protocol := port.Protocol
		if protocol == "" {
			protocol = corev1.ProtocolTCP
		}
		if port.Name == m.name && protocol == m.protocol {
			return fmt.Sprintf("%s dport %d", strings.ToLower(string(protocol)), port.ContainerPort), true
		}
	}
	return "", false
}
