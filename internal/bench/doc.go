// Command bench measures the figures that the README states.
//
// It builds the real binary, starts it, runs each scenario three times with its
// floor beside it (the simplest program that does the same without keeping our
// promises), and writes medians and ratios to docs/bench, with the machine and
// the commit. Absolute figures drift with the machine: hold on to the ratios.
package main
