"""Enterprises, officers, operators and branches; who acts; how people are reached and found."""
