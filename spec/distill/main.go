// SPDX-License-Identifier: Apache-2.0

// Command distill turns a checkout of the Matrix specification into spec/:
// one OpenAPI 3.1 document per API, one JSON Schema per event type, and the
// error codes. Facts only: descriptions, summaries and examples stay upstream.
// It stops on every keyword that it does not know, naming the place, so that
// nothing is lost in silence.
//
//	go run ./spec/distill -from ../matrix-spec -to spec
package main

import (
	"flag"
	"log"
)

func main() {
	from := flag.String("from", "", "a checkout of the Matrix specification")
	to := flag.String("to", "spec", "the spec directory: its overlay/ is read, its VERSION, NOTICE and release folder are written")
	flag.Parse()
	log.SetFlags(0)
	log.SetPrefix("distill: ")
	if *from == "" {
		log.Fatal("-from names no checkout")
	}
	out, err := Distill(*from, *to+"/overlay")
	if err != nil {
		log.Fatal(err)
	}
	if err := out.Write(*to); err != nil {
		log.Fatal(err)
	}
}
