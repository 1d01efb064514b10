package deploy

import (
	"fmt"
	"os/exec"
	"path/filepath"
)

// Program finds a program of Prometheus, prometheus or promtool, for tests: in dir, and nowhere else, unless it is "";
// else on the PATH; else where hack/need.sh puts it. A test calls it in its package's directory, at most two below the
// root.
func Program(dir, name string) (string, error) {
	if dir != "" {
		path, err := exec.LookPath(filepath.Join(dir, name))
		if err != nil {
			return "", fmt.Errorf("find %s where it should be: %w", name, err)
		}
		return path, nil
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, root := range []string{"..", filepath.Join("..", "..")} {
		fetched, err := filepath.Abs(filepath.Join(root, ".bin", "prometheus", name))
		if err != nil {
			return "", fmt.Errorf("find %s: %w", name, err)
		}
		if path, err := exec.LookPath(fetched); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no %s: hack/need.sh prometheus fetches it", name)
}
