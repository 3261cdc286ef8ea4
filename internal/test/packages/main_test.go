package main

import (
	"os"
	"testing"

	"step-posture-connector/internal/test/repository"
)

func TestMain(m *testing.M) {
	if err := repository.Enter(); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
