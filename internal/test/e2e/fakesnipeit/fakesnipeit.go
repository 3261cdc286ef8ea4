// Package fakesnipeit runs the simulated Snipe-IT server of the connector's own tests as a process, and changes its
// assets and its state while it runs.
package fakesnipeit

import (
	"context"
	"crypto/rand"

	"step-posture-connector/internal/test/e2e/fakevendor"
)

// Asset is one record of the server. It is checked out to User, unless it is Unmanaged.
type Asset struct {
	Serial    string `json:"serial"`
	Name      string `json:"name"`
	Model     string `json:"model"`
	Unmanaged bool   `json:"unmanaged"`
	User      *User  `json:"user,omitempty"`
}

// User is the one to whom an asset is checked out.
type User struct {
	Username string `json:"username"`
	RealName string `json:"real_name"`
	Email    string `json:"email"`
	Position string `json:"position"`
}

// Server is a simulated Snipe-IT server.
type Server struct {
	*fakevendor.Server

	token string
}

// Start runs the server and returns when it answers. It runs until Stop or the end of ctx.
func Start(ctx context.Context, binary, dir string, assets ...Asset) (*Server, error) {
	token := "snipeit-token-" + rand.Text()
	server, err := fakevendor.Start(ctx, fakevendor.Config{
		Binary: binary, Vendor: "snipeit", Dir: dir, Options: map[string]any{"token": token, "devices": assets},
	})
	if err != nil {
		return nil, err
	}
	return &Server{server, token}, nil
}

// Token is the API token, which must not appear anywhere.
func (s *Server) Token() string { return s.token }
