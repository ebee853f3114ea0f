package config

import (
	"slices"
	"testing"
)

func TestMisspeltEnvironment(t *testing.T) {
	t.Parallel()
	got := Misspelt([]string{
		"DOCSVC_STORAGE_ACCESS_KEY_ID=k", "DOCSVC_REDIS_ULR=x", "DOCSVC_LOG_COLOUR=1",
		"DOCSVC_REDIS_URL=x", "REDIS_URL=x", "DOCSVC_SERVER=x", "DOCSVC_API_KEY=x", "PATH=/bin",
		// a service of Kubernetes that is called docsvc-redis
		"DOCSVC_REDIS_SERVICE_HOST=10.0.0.1", "DOCSVC_REDIS_PORT=tcp://10.0.0.1:6379", "DOCSVC_REDIS_PORT_6379_TCP_ADDR=10.0.0.1",
		"DOCSVC_REDIS_SERVICE_PORT=6379",
	})
	want := []string{
		"environment DOCSVC_LOG_COLOUR is not a setting and has no effect",
		"environment DOCSVC_REDIS_ULR is not a setting and has no effect; did you mean DOCSVC_REDIS_URL?",
		"environment DOCSVC_STORAGE_ACCESS_KEY_ID is not a setting and has no effect; did you mean DOCSVC_STORAGE_ACCESS_KEY?",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
