package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"step-posture-connector/internal/test/kubernetes/manifest"
)

// fieldOwner is the name under which Apply owns the fields that it writes.
const fieldOwner = "test"

// mostAnswer bounds what is read of an answer.
const mostAnswer = 32 << 20

// kind is what names the type of an object in a manifest.
type kind struct{ version, name string }

// resource is how the API serves a kind.
type resource struct {
	plural     string
	namespaced bool
	deletable  bool
}

// Refusal is an answer of the API server that refuses a request.
type Refusal struct {
	Code    int
	Reason  string // such as Invalid, Forbidden, BadRequest
	Message string
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s (%d): %s", r.Reason, r.Code, r.Message) }

// Apply applies an object as kubectl apply --server-side --validate=strict does. With dryRun the API server judges it, and
// keeps nothing. A refusal is a *Refusal. The warnings are for the user, as those that kubectl prints.
func (s *Server) Apply(ctx context.Context, object manifest.Object, dryRun bool) (warnings []string, err error) {
	path, err := s.path(ctx, object)
	if err != nil {
		return nil, err
	}
	query := url.Values{"fieldManager": {fieldOwner}, "fieldValidation": {"Strict"}, "force": {"true"}}
	if dryRun {
		query.Set("dryRun", "All")
	}
	body, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", object.ID(), err)
	}
	_, warnings, err = s.do(ctx, http.MethodPatch, path+"?"+query.Encode(), "application/apply-patch+yaml", body)
	return warnings, err
}

// Objects returns what is in a namespace, except what the API server puts there by itself.
func (s *Server) Objects(ctx context.Context, namespace string) ([]manifest.Object, error) {
	if err := s.discover(ctx); err != nil {
		return nil, err
	}
	var all []manifest.Object
	for k, r := range s.resources {
		// Events are written by components, and bindings cannot be listed.
		if !r.namespaced || !r.deletable || k.name == "Event" {
			continue
		}
		answer, _, err := s.do(ctx, http.MethodGet, prefix(k.version)+"/namespaces/"+namespace+"/"+r.plural, "", nil)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", r.plural, err)
		}
		var list struct{ Items []manifest.Object }
		if err := json.Unmarshal(answer, &list); err != nil {
			return nil, fmt.Errorf("decode the list of %s: %w", r.plural, err)
		}
		for _, item := range list.Items {
			item["apiVersion"], item["kind"] = k.version, k.name
			all = append(all, item)
		}
	}
	slices.SortFunc(all, func(a, b manifest.Object) int { return strings.Compare(a.ID(), b.ID()) })
	return all, nil
}

// RemoveNamespace deletes a namespace with all objects in it, which needs the controller that does not run here.
func (s *Server) RemoveNamespace(ctx context.Context, namespace string) error {
	objects, err := s.Objects(ctx, namespace)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := s.Delete(ctx, object); err != nil {
			return err
		}
	}
	path := "/api/v1/namespaces/" + namespace
	if _, _, err := s.do(ctx, http.MethodDelete, path, "", nil); err != nil {
		return notFoundIsFine(err)
	}
	body, err := json.Marshal(manifest.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": namespace}, "spec": map[string]any{"finalizers": []any{}}})
	if err != nil {
		return err
	}
	_, _, err = s.do(ctx, http.MethodPut, path+"/finalize", "application/json", body)
	return err
}

// Delete deletes an object at once: a pod would wait for its kubelet, and others for the controller that has put a finalizer on
// them. That it is gone already is fine.
func (s *Server) Delete(ctx context.Context, object manifest.Object) error {
	path, err := s.path(ctx, object)
	if err != nil {
		return err
	}
	if len(object.List("metadata", "finalizers")) > 0 {
		if _, _, err := s.do(ctx, http.MethodPatch, path, "application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`)); err != nil {
			return err
		}
	}
	_, _, err = s.do(ctx, http.MethodDelete, path+"?gracePeriodSeconds=0", "", nil)
	return notFoundIsFine(err)
}

// notFoundIsFine drops the error of what is gone already.
func notFoundIsFine(err error) error {
	var refusal *Refusal
	if errors.As(err, &refusal) && refusal.Code == http.StatusNotFound {
		return nil
	}
	return err
}

// path is where the API serves an object.
func (s *Server) path(ctx context.Context, object manifest.Object) (string, error) {
	k := kind{object.Text("apiVersion"), object.Kind()}
	if _, known := s.resources[k]; !known {
		// A definition of a custom resource may have been added.
		if err := s.discover(ctx); err != nil {
			return "", err
		}
	}
	r, known := s.resources[k]
	switch {
	case !known:
		return "", &Refusal{http.StatusNotFound, "NotFound", fmt.Sprintf("the API server serves no %s of %s", k.name, k.version)}
	case r.namespaced && object.Namespace() == "":
		return "", fmt.Errorf("%s has no namespace", object.ID())
	case r.namespaced:
		return prefix(k.version) + "/namespaces/" + url.PathEscape(object.Namespace()) + "/" + r.plural + "/" + url.PathEscape(object.Name()), nil
	default:
		return prefix(k.version) + "/" + r.plural + "/" + url.PathEscape(object.Name()), nil
	}
}

// prefix is the path of a version; those of the first, nameless group are elsewhere.
func prefix(version string) string {
	if strings.Contains(version, "/") {
		return "/apis/" + version
	}
	return "/api/" + version
}

// discover asks which kinds the API serves.
func (s *Server) discover(ctx context.Context) error {
	answer, _, err := s.do(ctx, http.MethodGet, "/apis", "", nil)
	if err != nil {
		return fmt.Errorf("list the groups of the API: %w", err)
	}
	var groups struct {
		Groups []struct {
			Versions []struct{ GroupVersion string }
		}
	}
	if err := json.Unmarshal(answer, &groups); err != nil {
		return fmt.Errorf("decode the groups of the API: %w", err)
	}
	versions := []string{"v1"}
	for _, group := range groups.Groups {
		for _, version := range group.Versions {
			versions = append(versions, version.GroupVersion)
		}
	}
	all := map[kind]resource{}
	for _, version := range versions {
		answer, _, err := s.do(ctx, http.MethodGet, prefix(version), "", nil)
		if err != nil {
			return fmt.Errorf("list the resources of %s: %w", version, err)
		}
		var list struct {
			Resources []struct {
				Name, Kind string
				Namespaced bool
				Verbs      []string
			}
		}
		if err := json.Unmarshal(answer, &list); err != nil {
			return fmt.Errorf("decode the resources of %s: %w", version, err)
		}
		for _, r := range list.Resources {
			// Those with a slash belong to another one, such as deployments/scale.
			if !strings.Contains(r.Name, "/") {
				all[kind{version, r.Kind}] = resource{r.Name, r.Namespaced, slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "delete")}
			}
		}
	}
	s.resources = all
	return nil
}

// do sends a request, and returns the answer with its warnings.
func (s *Server) do(ctx context.Context, method, path, contentType string, body []byte) (answer []byte, warnings []string, err error) {
	request, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("Accept", "application/json")
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err = io.ReadAll(io.LimitReader(response.Body, mostAnswer))
	if err != nil {
		return nil, nil, fmt.Errorf("read the answer to %s %s: %w", method, path, err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		refusal := &Refusal{Code: response.StatusCode}
		if err := json.Unmarshal(answer, refusal); err != nil {
			refusal.Message = string(answer)
		}
		return nil, nil, refusal
	}
	return answer, response.Header.Values("Warning"), nil
}
