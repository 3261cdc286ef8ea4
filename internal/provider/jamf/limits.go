package jamf

import "time"

// The limits that only Jamf Pro needs; package vendorhttp has those of every request.
const (
	// maxRequests is how many requests run at once: Jamf asks for no more than five connections.
	// https://developer.jamf.com/developer-guide/docs/jamf-pro-api-scalability-best-practices
	maxRequests = 5

	// departmentTimeout bounds the request for the name of a department, the wait for its turn included, where no policy
	// reads it: the name is not worth a refusal then.
	departmentTimeout = 2 * time.Second
	// versionTimeout bounds the request for the server's version: it is a hint only.
	versionTimeout = 2 * time.Second
	// listStart bounds what a list needs before its first page: a token, and the server's version.
	listStart = 20 * time.Second
	// privilegeMemory: after a 403 (a privilege is missing), a token of this age is replaced. A token has the
	// privileges that the API client had when Jamf issued it, so a new one may have more.
	privilegeMemory = time.Minute
)
