package soak

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// scrapeDeadline is ample for a program that is not frozen.
const scrapeDeadline = 2 * time.Second

// scrape reads series that a program serves: their names, with their labels, as they stand there.
func scrape(ctx context.Context, url string, series ...string) ([]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, scrapeDeadline)
	defer cancel()
	a, err := send(ctx, http.MethodGet, url+"/metrics", "")
	if err != nil {
		return nil, err
	}
	values := make([]float64, len(series))
	for i, name := range series {
		_, rest, found := strings.Cut("\n"+a.text, "\n"+name+" ")
		if !found {
			return nil, fmt.Errorf("%s serves no %s", url, name)
		}
		text, _, _ := strings.Cut(rest, "\n")
		if values[i], err = strconv.ParseFloat(text, 64); err != nil {
			return nil, fmt.Errorf("%s of %s: %w", name, url, err)
		}
	}
	return values, nil
}
