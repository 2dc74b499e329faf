"""Synthetic people and their enterprise. Nobody here exists."""

ENTERPRISE = {
    "uscc": "91310115MA1K3XY208",
    "name": "上海示例报关有限公司",
    "customs_code": "3122980003",
    "legal_representative": "示例法人",
    "region": "上海",
}
OPERATOR = {"name": "示例操作员", "employee_number": "0042"}
RELIEF = tuple(
    {"name": f"示例替班员{number}", "employee_number": f"004{number}"} for number in (3, 4, 5)
)
OFFICERS = {
    "registrar": ("示例录入员", ("registrar", "approver")),
    "approver": ("示例审核员", ("approver",)),
    "administrator": ("示例管理员", ("administrator",)),
    "auditor": ("示例审计员", ("auditor",)),
    "system-administrator": ("示例系统管理员", ("system-administrator",)),
    "audit-administrator": ("示例审计管理员", ("audit-administrator",)),
}
"""USB key label -> name and roles. The registrar may also approve, but not what he registered."""
