// Command shapes prints, as JSON, how Go's Kubernetes types read and write each field of the kinds that the offline
// provider handles: mina_infra/local/provider/shapes.json. OpenAPI cannot tell a pointer from a value, and that decides
// whether `hostNetwork: false` or `storageClassName: ""` survives the round trip through the typed object which the
// official provider makes of every input.
//
//	cd tools/cluster && go run ./shapes > ../../mina_infra/local/provider/shapes.json
//
// A field is written as [*][!]TYPE: `*` a pointer (its zero value is kept), `!` no omitempty (likewise), TYPE one of
// s string, i integer, f float, b bool, q quantity, x integer or string, y bytes, a anything else that converts itself,
// [TYPE list, {TYPE map, or the name of another entry.
package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sort"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var roots = []any{
	corev1.Namespace{}, corev1.Node{}, corev1.PersistentVolume{}, corev1.Pod{}, corev1.PersistentVolumeClaim{},
	corev1.ConfigMap{}, corev1.Secret{}, corev1.Service{}, corev1.ServiceAccount{}, corev1.ResourceQuota{}, corev1.Event{},
	storagev1.StorageClass{}, storagev1.CSIDriver{}, appsv1.Deployment{}, appsv1.StatefulSet{}, appsv1.DaemonSet{},
	batchv1.Job{}, batchv1.CronJob{}, rbacv1.Role{}, rbacv1.RoleBinding{}, rbacv1.ClusterRole{},
	rbacv1.ClusterRoleBinding{}, policyv1.PodDisruptionBudget{}, networkingv1.NetworkPolicy{}, networkingv1.Ingress{},
	corev1.LimitRange{}, storagev1.VolumeAttributesClass{},
}

var (
	quantity    = reflect.TypeOf(resource.Quantity{})
	intOrString = reflect.TypeOf(intstr.IntOrString{})
	unmarshaler = reflect.TypeOf((*json.Unmarshaler)(nil)).Elem()
	types       = map[string]map[string]string{}
	owners      = map[string]reflect.Type{}
)

func code(t reflect.Type) string {
	switch {
	case t == quantity:
		return "q"
	case t == intOrString:
		return "x"
	case reflect.PointerTo(t).Implements(unmarshaler):
		return "a"
	}
	switch t.Kind() {
	case reflect.String:
		return "s"
	case reflect.Bool:
		return "b"
	case reflect.Float32, reflect.Float64:
		return "f"
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint32, reflect.Uint64, reflect.Uint8:
		return "i"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "y"
		}
		return "[" + code(t.Elem())
	case reflect.Map:
		return "{" + code(t.Elem())
	case reflect.Pointer:
		return "*" + code(t.Elem())
	case reflect.Struct:
		collect(t)
		return t.Name()
	}
	return "a"
}

func collect(t reflect.Type) {
	if owner, known := owners[t.Name()]; known {
		if owner != t {
			panic("two types named " + t.Name())
		}
		return
	}
	fields := map[string]string{}
	types[t.Name()], owners[t.Name()] = fields, t
	add(t, fields)
}

func add(t reflect.Type, fields map[string]string) {
	for i := 0; i < t.NumField(); i++ {
		field := t.Field(i)
		parts := strings.Split(field.Tag.Get("json"), ",")
		if parts[0] == "-" {
			continue
		}
		if parts[0] == "" {
			add(field.Type, fields)
			continue
		}
		// What the server alone writes is dropped before a comparison: its types are not needed.
		if field.Name == "Status" && field.Type.Kind() == reflect.Struct || field.Name == "ManagedFields" {
			fields[parts[0]] = "a"
			continue
		}
		kept := "!"
		for _, option := range parts[1:] {
			if option == "omitempty" {
				kept = ""
			}
		}
		if pointer := field.Type.Kind() == reflect.Pointer; pointer {
			fields[parts[0]] = "*" + kept + code(field.Type.Elem())
		} else {
			fields[parts[0]] = kept + code(field.Type)
		}
	}
}

func main() {
	for _, root := range roots {
		collect(reflect.TypeOf(root))
	}
	names := make([]string, 0, len(types))
	for name := range types {
		names = append(names, name)
	}
	sort.Strings(names)
	for i, name := range names {
		fields, err := json.Marshal(types[name])
		if err != nil {
			panic(err)
		}
		prefix := ","
		if i == 0 {
			prefix = "{"
		}
		fmt.Printf("%s%q: %s\n", prefix, name, fields)
	}
	fmt.Println("}")
}
