// Command cmd builds step-ca and step, for an image that takes the place of the public one.
package main

import (
	"context"
	"fmt"
	"os"

	"step-posture-connector/internal/test/e2e/toolchain"
)

func main() {
	if err := build(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func build(ctx context.Context) error {
	programs, err := toolchain.Locate(ctx)
	if err != nil {
		return err
	}
	return programs.BuildTools(ctx)
}
