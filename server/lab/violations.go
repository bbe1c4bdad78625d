// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/extraapi"
)

// GetLabViolations is not served yet.
func (l *Lab) GetLabViolations(context.Context, *extraapi.GetLabViolationsRequest) (*extraapi.GetLabViolationsResponse, error) {
	return nil, api.Unfinished()
}

// ClearLabViolations is not served yet.
func (l *Lab) ClearLabViolations(context.Context, *extraapi.ClearLabViolationsRequest) (*extraapi.ClearLabViolationsResponse, error) {
	return nil, api.Unfinished()
}

// GetLabViolationsJUnit is not served yet.
func (l *Lab) GetLabViolationsJUnit(context.Context, *extraapi.GetLabViolationsJUnitRequest) (extraapi.GetLabViolationsJUnitResult, error) {
	return nil, api.Unfinished()
}

// GetLabViolationsSARIF is not served yet.
func (l *Lab) GetLabViolationsSARIF(context.Context, *extraapi.GetLabViolationsSARIFRequest) (*extraapi.GetLabViolationsSARIFResponse, error) {
	return nil, api.Unfinished()
}
