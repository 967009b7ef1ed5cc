"""Figures for print, one module a family: Figure objects of matplotlib, never pyplot."""
