package cloud

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"go.step.sm/crypto/jose"
)

// Google is a virtual machine of Compute Engine.
type Google struct {
	ID             string // a number that Google gives once
	Name           string // which the project chooses, and another project may choose too
	Project, Zone  string
	ServiceAccount string // e-mail address
}

// Azure is a virtual machine of Azure with a managed identity.
type Azure struct {
	Tenant, Subscription, Group, Name string
	ObjectID                          string // of the managed identity
	// Shared says that the identity is one of its own, which several virtual machines have: its tokens then name the
	// identity in place of the virtual machine.
	Shared string
}

// Amazon is an instance of EC2.
type Amazon struct{ ID, Account, Region, PrivateIP string }

// Instance is a virtual machine of one of the clouds.
type Instance interface {
	// register adds the paths of the metadata service that the step client asks.
	register(mux *http.ServeMux, c *Cloud)
}

// Metadata is the metadata service of one instance.
type Metadata struct{ server *server }

// Run starts the metadata service of an instance.
func (c *Cloud) Run(ctx context.Context, instance Instance) (*Metadata, error) {
	mux := http.NewServeMux()
	instance.register(mux, c)
	s, err := serve(ctx, nil, mux)
	return &Metadata{s}, err
}

// Env has the variables with which the step client finds the metadata service.
func (m *Metadata) Env() []string { return []string{"HTTP_PROXY=" + m.server.url()} }

// Close stops the metadata service.
func (m *Metadata) Close() error { return m.server.close() }

func (g Google) register(mux *http.ServeMux, c *Cloud) {
	mux.HandleFunc("GET /computeMetadata/v1/instance/service-accounts/default/identity", func(w http.ResponseWriter, r *http.Request) {
		give(w, r.Header.Get("Metadata-Flavor") == "Google", func() (string, error) { return c.GoogleToken(g, r.FormValue("audience")) })
	})
}

func (a Azure) register(mux *http.ServeMux, c *Cloud) {
	mux.HandleFunc("GET /metadata/instance/compute/azEnvironment", func(w http.ResponseWriter, r *http.Request) {
		give(w, r.Header.Get("Metadata") != "", func() (string, error) { return "AzurePublicCloud", nil })
	})
	mux.HandleFunc("GET /metadata/identity/oauth2/token", func(w http.ResponseWriter, r *http.Request) {
		give(w, r.Header.Get("Metadata") != "", func() (string, error) {
			token, err := c.AzureToken(a)
			if err != nil {
				return "", err
			}
			text, err := json.Marshal(map[string]string{"access_token": token, "token_type": "Bearer", "resource": azureAudience})
			return string(text), err
		})
	})
}

func (a Amazon) register(mux *http.ServeMux, c *Cloud) {
	mux.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, _ *http.Request) {
		give(w, true, func() (string, error) { return "session", nil })
	})
	document := func(sign bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			give(w, r.Header.Get("X-aws-ec2-metadata-token") == "session", func() (string, error) {
				text, signature, err := c.document(a)
				if sign {
					return base64.StdEncoding.EncodeToString(signature), err
				}
				return string(text), err
			})
		}
	}
	mux.HandleFunc("GET /latest/dynamic/instance-identity/document", document(false))
	mux.HandleFunc("GET /latest/dynamic/instance-identity/signature", document(true))
}

// give answers a client that has sent the header which a metadata service asks for.
func give(w http.ResponseWriter, asked bool, answer func() (string, error)) {
	if !asked {
		http.Error(w, "the header of the metadata service is missing", http.StatusBadRequest)
		return
	}
	text, err := answer()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write([]byte(text))
}

const (
	azureAudience = "https://management.azure.com/"
	azureVM       = "Microsoft.Compute/virtualMachines/"
	azureIdentity = "Microsoft.ManagedIdentity/userAssignedIdentities/"
)

// issuerOf is the issuer of the tokens of a tenant of Azure.
func issuerOf(tenant string) string { return "https://sts.windows.net/" + tenant + "/" }

func newSigner(key *rsa.PrivateKey) (jose.Signer, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: keyID}},
		new(jose.SignerOptions).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("make the clouds' signer: %w", err)
	}
	return signer, nil
}

// GoogleToken is the identity token that the metadata service of Google gives an instance.
func (c *Cloud) GoogleToken(g Google, audience string) (string, error) {
	return c.token(map[string]any{
		"iss": "https://accounts.google.com", "aud": audience, "sub": "1093847561", "azp": "1093847561",
		"email": g.ServiceAccount, "email_verified": true,
		"google": map[string]any{"compute_engine": map[string]any{
			"instance_id": g.ID, "instance_name": g.Name, "project_id": g.Project, "project_number": projectNumber,
			"zone": g.Zone, "instance_creation_timestamp": time.Now().Add(-time.Hour).Unix(),
		}},
	})
}

// projectNumber is the number of each simulated project.
const projectNumber = 739463

// AzureToken is the access token that the metadata service of Azure gives a virtual machine.
func (c *Cloud) AzureToken(a Azure) (string, error) {
	resource := azureVM + a.Name
	if a.Shared != "" {
		resource = azureIdentity + a.Shared
	}
	return c.token(map[string]any{
		"iss": issuerOf(a.Tenant), "aud": azureAudience, "sub": a.ObjectID, "oid": a.ObjectID, "tid": a.Tenant, "ver": "1.0",
		"xms_mirid": fmt.Sprintf("/subscriptions/%s/resourcegroups/%s/providers/%s", a.Subscription, a.Group, resource),
	})
}

// token signs claims. Each token is another one, as those of the clouds are.
func (c *Cloud) token(claims map[string]any) (string, error) {
	now := time.Now()
	claims["iat"], claims["nbf"], claims["exp"] = now.Unix(), now.Add(-time.Minute).Unix(), now.Add(lifetime).Unix()
	claims["nonce"] = rand.Text()
	token, err := jose.Signed(c.signer).Claims(claims).CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("sign a cloud's token: %w", err)
	}
	return token, nil
}

// document is the instance identity document of EC2, and its signature.
func (c *Cloud) document(a Amazon) (text, signature []byte, err error) {
	text, err = json.Marshal(map[string]string{
		"accountId": a.Account, "instanceId": a.ID, "region": a.Region, "privateIp": a.PrivateIP, "architecture": "x86_64",
		"pendingTime": c.started.Add(-time.Hour).UTC().Format(time.RFC3339), "version": "2017-09-30",
	})
	if err != nil {
		return nil, nil, fmt.Errorf("make an identity document: %w", err)
	}
	digest := sha256.Sum256(text)
	signature, err = rsa.SignPKCS1v15(rand.Reader, c.key, crypto.SHA256, digest[:])
	if err != nil {
		return nil, nil, fmt.Errorf("sign an identity document: %w", err)
	}
	return text, signature, nil
}
